"""Which of the portal's own upgrades can still be taken back."""

from __future__ import annotations

from pathlib import Path

from tests.watchdog.records import new_folder, new_record
from updates.watchdog.folder import Folder
from updates.watchdog.portal_recipe import KEPT_WAYS_BACK, ways_back
from updates.watchdog.record import write_record


def ended(folder: Folder, *, undoes: str | None = None, outcome: str = "succeeded") -> str:
    record = new_record(folder, plan={"kept_of": undoes})
    record.state, record.outcome = "finished", outcome
    write_record(folder, record)
    return record.upgrade


def test_what_was_taken_back_and_what_took_it_back_use_up_no_place(tmp_path: Path) -> None:
    folder = new_folder(tmp_path)
    first, second = ended(folder), ended(folder)
    for _ in range(KEPT_WAYS_BACK):
        ended(folder, undoes=ended(folder))
    ended(folder, outcome="failed")
    assert ways_back(folder, new_record(folder).upgrade) == {first, second}


def test_one_that_waits_for_somebody_keeps_what_it_has(tmp_path: Path) -> None:
    folder = new_folder(tmp_path)
    ended(folder)
    broken = ended(folder, undoes=(taken := ended(folder)), outcome="broken")
    assert ways_back(folder, new_record(folder).upgrade) == {taken, broken}
