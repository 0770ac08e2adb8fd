"""What copies leave that come to no end: nothing, as soon as nobody goes on with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.containers.backup_bench import Bench
from tests.environment.programs import need_root
from tests.environment.waiting import wait_until
from tests.watchdog.lonely import Lonely, own_folder
from tests.watchdog.records import held, new_record
from updates.errors import StepFailed
from updates.machine import Event, State
from updates.recipes.container.backup_alone import CHECKED, backed_up
from updates.watchdog.backup_order import BackupOrder
from updates.watchdog.durable import remove
from updates.watchdog.folder import Folder

PART = ".upgrade-backup-20260102_120000.tar.gz.part"


@pytest.fixture
def own(tmp_path: Path) -> Folder:
    """A watchdog has died in the middle of a copy."""
    folder = own_folder(tmp_path)
    for place in (folder.stage, folder.backups):
        (place / PART).mkdir()
        (place / PART / "piece-000").write_text("a whole database")
    return folder


def are_there(folder: Folder) -> bool:
    return any((place / PART).exists() for place in (folder.stage, folder.backups))


def test_at_its_start_it_clears_what_nobody_goes_on_with(own: Folder) -> None:
    (own.backups / "upgrade-backup-20260102_110000.tar.gz").write_text("a backup")
    (own.backups / ".upgrade-backup-link.part").symlink_to(own.data)
    with Lonely(own).living():
        wait_until(lambda: not are_there(own), seconds=10, what="it is gone")
    assert (own.backups / "upgrade-backup-20260102_110000.tar.gz").exists()
    assert own.trigger.parent.is_dir()


def test_what_somebody_goes_on_with_stays(own: Folder) -> None:
    BackupOrder(7, "1").write(own)
    with Lonely(own).living():
        with pytest.raises(TimeoutError):
            wait_until(lambda: not are_there(own), seconds=1, what="it is gone")
        remove(own.backup_order)
        wait_until(lambda: not are_there(own), seconds=10, what="it is gone")


def test_after_an_upgrade_that_was_ended_by_force_it_is_cleared_too(own: Folder) -> None:
    upgrade = new_record(own).upgrade
    book = held(own, upgrade)
    while book.state is not State.INSTALLING:
        book.take(Event.DONE)
    shown = held(own.as_shown, upgrade)
    while shown.state is not State.FINISHED:
        shown.take(Event.DONE)
    with Lonely(own).living():
        wait_until(lambda: not are_there(own), seconds=10, what="it is gone")


def test_a_backup_that_fails_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    need_root("a backup of files of anybody's")
    (tmp_path / "programs").mkdir()
    broken = tmp_path / "programs/gzip"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", str(broken.parent), prepend=":")
    bench = Bench(tmp_path)
    bench.journal.remember(CHECKED, True)
    with pytest.raises(StepFailed, match="could not be written"):
        backed_up(bench.context, bench.plan, bench.shell, bench.backups, never=())
    assert [*(tmp_path / "backups").iterdir()] == []
    assert not (tmp_path / "work" / bench.plan.upgrade).exists()
