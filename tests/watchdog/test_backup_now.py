"""A backup of the portal's own data that somebody wants now: ordered by the portal, made by its watchdog."""

from __future__ import annotations

import json
import tarfile
from dataclasses import asdict
from datetime import timedelta

import pytest

from portal.core.actors import PORTAL
from portal.core.errors import Conflict, Refused
from tests.environment.waiting import wait_until
from tests.watchdog.orders import WHY
from tests.watchdog.stage import SET, PortalStage
from updates.models import Backup
from updates.services.backups import Situation, back_up_now, recover_backups
from updates.services.portal_container import know_portal
from updates.services.portal_follow import follow
from updates.watchdog.backup_order import BackupOrder, read_backup_order
from updates.watchdog.durable import write_whole
from updates.watchdog.folder import Folder
from updates.watchdog.heartbeat import Heart

WRITTEN = {
    "path": "/data/backups/upgrade-backup-20261121_230000.tar.gz",
    "size": 5,
    "sha256": "0" * 64,
    "taken_at": "2026-11-21T23:00:00+00:00",
    "is_live": True,
}


@pytest.fixture
def wanted(transactional_db: None, folder: Folder, alive: Heart) -> Backup:
    return back_up_now(watched=know_portal(), actor=PORTAL, reason=WHY)


def stood(folder: Folder) -> BackupOrder:
    order = read_backup_order(folder)
    assert order is not None
    return order


@pytest.mark.database
class TestThePortal:
    def test_an_order_is_told_to_the_watchdog(self, folder: Folder, wanted: Backup) -> None:
        assert stood(folder).backup == wanted.pk
        assert not stood(folder).is_over
        follow()
        assert Backup.objects.get().is_waiting
        with pytest.raises(Conflict, match="is being made"):
            back_up_now(watched=know_portal(), actor=PORTAL, reason=WHY)

    def test_what_was_written_is_on_record_once(self, folder: Folder, wanted: Backup) -> None:
        BackupOrder(wanted.pk, "1", written=WRITTEN).write(folder)
        follow()
        follow()
        row = Backup.objects.get()
        assert (row.path, row.size, row.is_live, row.is_there) == (WRITTEN["path"], 5, True, True)
        assert not folder.backup_order.exists()

    def test_why_there_is_none_is_on_record(self, folder: Folder, wanted: Backup) -> None:
        BackupOrder(wanted.pk, "1", error="No room." * 100).write(folder)
        follow()
        assert Backup.objects.get().error.startswith("No room.")
        assert Situation(know_portal()).why_not_make() is None

    def test_an_order_that_was_lost_is_told_again(self, folder: Folder, wanted: Backup) -> None:
        folder.backup_order.unlink()
        recover_backups(set())  # no worker's
        follow()
        assert stood(folder).backup == wanted.pk

    @pytest.mark.parametrize("content", [b"{", b"[]", b'{"backup": 1}', b"null", b"\xff"])
    def test_what_cannot_be_read_is_put_away(
        self, folder: Folder, wanted: Backup, content: bytes
    ) -> None:
        write_whole(folder.backup_order, content)
        follow()
        assert stood(folder).backup == wanted.pk

    def test_an_answer_that_nobody_waits_for_is_put_away(
        self, folder: Folder, wanted: Backup
    ) -> None:
        BackupOrder(wanted.pk + 1, "1", written=WRITTEN).write(folder)
        follow()
        assert stood(folder).backup == wanted.pk
        assert Backup.objects.get().is_waiting

    def test_the_answer_to_an_order_of_that_number_from_before_a_restore_is_put_away(
        self, folder: Folder, wanted: Backup
    ) -> None:
        before = (wanted.created_at - timedelta(days=1)).isoformat()
        BackupOrder(wanted.pk, "1", ordered_at=before, written=WRITTEN).write(folder)
        follow()
        assert Backup.objects.get().is_waiting
        assert stood(folder).ordered_at == wanted.created_at.isoformat()
        assert not stood(folder).is_over

    def test_a_watchdog_of_before_does_not_say_when_it_was_ordered(
        self, folder: Folder, wanted: Backup
    ) -> None:
        said = asdict(BackupOrder(wanted.pk, "1", written=WRITTEN))
        del said["ordered_at"]
        write_whole(folder.backup_order, json.dumps(said).encode())
        follow()
        assert Backup.objects.get().is_there

    def test_it_is_refused_where_no_watchdog_lives(
        self, transactional_db: None, folder: Folder
    ) -> None:
        with pytest.raises(Refused, match="No watchdog has ever run"):
            back_up_now(watched=know_portal(), actor=PORTAL, reason=WHY)


@pytest.mark.docker
class TestTheWatchdog:
    def test_it_backs_up_what_runs_and_leaves_it_alone(self, portal_stage: PortalStage) -> None:
        ran = portal_stage.engine.docker("ps", "--quiet", "--no-trunc")
        portal_stage.start()
        BackupOrder(7, "1.0.0").write(portal_stage.folder)

        order = self.over(portal_stage)
        assert order.error == ""
        assert order.written is not None
        assert order.written["is_live"]
        with tarfile.open(order.written["path"]) as file:
            assert any(name.endswith("/book") for name in file.getnames())
        assert portal_stage.engine.docker("ps", "--quiet", "--no-trunc") == ran
        assert not (portal_stage.own.work_root / "backup-7").exists()
        assert not portal_stage.own.backup_progress.exists()

    def test_one_of_the_same_number_from_before_a_restore_is_not_gone_on_with(
        self, portal_stage: PortalStage
    ) -> None:
        """Neither what it remembered nor what it has left: a database that was put back counts from there again."""
        stage = portal_stage
        stage.own.make()
        known = {"copied_live": {**WRITTEN, "path": f"{stage.data}/backups/there"}, "fence": 3}
        (stage.data / "backups/there").write_text("other")
        said = {"backup": 7, "ordered_at": "2026-01-01T00:00:00+00:00", "facts": known}
        write_whole(stage.own.backup_progress, json.dumps(said).encode())
        stage.start()
        BackupOrder(7, "1.0.0", ordered_at="2026-01-02T00:00:00+00:00").write(stage.folder)

        order = self.over(stage)
        assert order.error == ""
        assert order.written is not None
        assert order.written["path"].endswith(".tar.gz")

    def test_one_that_is_killed_goes_on_with_it(self, portal_stage: PortalStage) -> None:
        portal_stage.start()
        BackupOrder(7, "1.0.0").write(portal_stage.folder)
        wait_until(lambda: bool(stood(portal_stage.folder).facts), seconds=60, what="begun")
        portal_stage.kill()
        portal_stage.start()

        order = self.over(portal_stage)
        assert (order.error, order.facts["fence"] > 1) == ("", True)
        assert portal_stage.images() == dict.fromkeys(SET, "1.0.0")
        backups = {one.name for one in (portal_stage.data / "backups").glob("*.tar.gz")}
        assert len(backups) == 1

    def test_why_there_can_be_none_is_said(self, portal_stage: PortalStage) -> None:
        said = json.loads(portal_stage.folder.template.read_bytes())
        said["min_free_bytes"] = 2**62
        write_whole(portal_stage.folder.template, json.dumps(said).encode())
        portal_stage.start()
        BackupOrder(7, "1.0.0").write(portal_stage.folder)

        order = self.over(portal_stage)
        assert order.written is None
        assert "MiB free" in order.error

    def over(self, stage: PortalStage) -> BackupOrder:
        wait_until(lambda: stood(stage.folder).is_over, seconds=120, what="a backup")
        return stood(stage.folder)
