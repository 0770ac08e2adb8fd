"""An upgrade's calls and a backup that somebody asked for: one after the other on a device, and neither fails for it."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from devices.drivers.local import LocalShell
from devices.errors import StepStillRunning
from tests.environment.waiting import wait_until
from tests.machine.memory_journal import MemoryJournal
from updates.machine import State
from updates.recipes.detached import BACKUP, LEFT_RUNNING, DetachedCalls
from updates.runner import Context

LIMIT_SECONDS = 20


def call(journal: MemoryJournal, folder: Path, script: str) -> tuple[int, str]:
    calls = DetachedCalls(LocalShell(), work_root=str(folder / "work"), kill_after_seconds=1)
    return calls.run(
        Context(journal), "copy", command=["sh", "-c", script], cwd=str(folder), env={}
    )


def memory(upgrade: str) -> MemoryJournal:
    journal = MemoryJournal(state=State.BACKING_UP)
    journal.upgrade = upgrade
    return journal


@pytest.mark.parametrize("first", [f"{BACKUP}7", "another-upgrade"])
def test_an_upgrade_waits_for_a_backup_and_for_nobody_else(tmp_path: Path, first: str) -> None:
    begun, ends = tmp_path / "begun", tmp_path / "ends"
    script = f": >{begun}; until [ -e {ends} ]; do sleep 0.05; done; echo first >>{tmp_path}/order"
    running = threading.Thread(target=call, args=(memory(first), tmp_path, script))
    running.start()
    try:
        wait_until(begun.exists, seconds=LIMIT_SECONDS, what="the first call runs")
        later = threading.Timer(1.5, ends.touch)
        later.start()
        second = f"echo second >>{tmp_path}/order"
        if first.startswith(BACKUP):
            assert call(memory("an-upgrade"), tmp_path, second) == (0, "")
            assert (tmp_path / "order").read_text().split() == ["first", "second"]
        else:
            journal = memory("an-upgrade")
            with pytest.raises(StepStillRunning):
                call(journal, tmp_path, second)
            assert journal.recall(LEFT_RUNNING) is None, "it never began"
    finally:
        ends.touch()
        running.join()
        later.join()
