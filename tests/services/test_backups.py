"""Backups of watched containers, as people order them, on an engine that runs."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from devices.models import EngineAccess
from portal.core import clock
from portal.core.actors import PORTAL
from portal.core.errors import Conflict, NotPermitted, Refused
from portal.core.models import AuditEvent
from tests.environment.docker import DockerEngine
from tests.environment.module_images import build_image, busybox_files
from tests.journal.rows import new_device
from tests.services.people import somebody
from updates.dispatch import queued
from updates.errors import TargetBusy
from updates.jobs import run_backup, run_backup_deletion, run_backup_look
from updates.machine import State
from updates.models import Backup, Instance, Module, Upgrade, WatchedContainer
from updates.plan import Mode
from updates.services.backup_jobs import carry_out_backup
from updates.services.backup_records import record_backups, there
from updates.services.backups import (
    MAKE_JOB,
    back_up_now,
    delete_backup,
    job_id,
    look_for_backups,
    recover_backups,
    restore_backup,
)
from updates.services.container_orders import build_container_upgrade, plan_container

pytestmark = [pytest.mark.database, pytest.mark.usefixtures("redis_server")]
IMAGE = "backup-services/busybox:1"


@pytest.fixture
def watched(tmp_path: Path) -> WatchedContainer:
    """A watched container whose engine nobody asks."""
    return watch(tmp_path, socket="/nowhere/docker.sock")


def watch(folder: Path, *, socket: str, volumes: tuple[str, ...] = ()) -> WatchedContainer:
    device = new_device("far", root=str(folder / "device"))
    EngineAccess.objects.create(device=device, way=EngineAccess.Way.UNIX, socket_path=socket)
    module = Module.objects.create(name="app", source="registry/app")
    instance = Instance.objects.create(module=module, device=device, name="app1", version="1")
    return WatchedContainer.objects.create(
        instance=instance,
        image="registry/app:1",
        containers=["backed-up"],
        backup_dir=str(folder / "backups"),
        volumes=list(volumes),
    )


@pytest.fixture
def running(tmp_path: Path, docker_engine: DockerEngine) -> Iterator[WatchedContainer]:
    """One that runs, with a volume."""
    build_image(docker_engine, IMAGE, busybox_files(), dockerfile='CMD ["/bin/sleep", "999"]')
    docker = docker_engine.docker
    docker("run", "-d", "--init", "--name", "backed-up", "-v", "backed-up:/data", IMAGE)
    docker("exec", "backed-up", "sh", "-c", "echo one >/data/books")
    yield watch(tmp_path, socket=str(docker_engine.socket), volumes=("backed-up",))
    docker("rm", "-f", "backed-up")
    docker("volume", "rm", "backed-up")


def made(watched: WatchedContainer, *, days_ago: int = 0, **columns: object) -> Backup:
    """A backup that is on record."""
    number = Backup.objects.count()
    row = {
        "path": f"{watched.backup_dir}/upgrade-backup-20260101_00000{number}.tar.gz",
        "size": 1000,
        "sha256": "0" * 64,
        "taken_at": clock.now() - timedelta(days=days_ago),
        "created_at": clock.now(),
    }
    return Backup.objects.create(watched=watched, **(row | columns))


@pytest.mark.docker
@pytest.mark.database(transaction=True)
def test_a_backup_is_made_now_and_again_and_the_newest_stay(running: WatchedContainer) -> None:
    first = back_up_now(watched=running, actor=PORTAL, reason="Before the audit")
    assert job_id(MAKE_JOB, first) in queued()
    with pytest.raises(Conflict, match="is being made"):
        back_up_now(watched=running, actor=PORTAL, reason="Twice")
    assert run_backup(str(first.pk)) == "made"
    first.refresh_from_db()
    assert Path(first.path).stat().st_size == first.size
    assert (first.is_live, first.version, first.is_there) == (True, "1", True)
    assert run_backup(str(first.pk)) == "over"
    second = back_up_now(watched=running, actor=PORTAL, reason="Another")
    run_backup(str(second.pk))
    first.refresh_from_db()
    assert first.deleted_at is not None, "one is kept"
    assert [one.pk for one in there(running)] == [second.pk]
    work = Path(running.instance.device.work_root)
    assert not list(work.glob("backup-*")), "nothing of the work is left"


@pytest.mark.docker
def test_what_the_next_rollback_needs_is_not_pruned(running: WatchedContainer) -> None:
    upgrade = an_upgrade(running)
    kept = back_up_now(watched=running, actor=PORTAL, reason="x")
    run_backup(str(kept.pk))
    kept.refresh_from_db()
    Backup.objects.filter(pk=kept.pk).update(upgrade=upgrade, is_live=False)
    another = back_up_now(watched=running, actor=PORTAL, reason="y")
    run_backup(str(another.pk))
    assert Path(kept.path).exists()


@pytest.mark.docker
def test_a_worker_that_leaves_is_followed_by_one_that_ends_it(running: WatchedContainer) -> None:
    backup = back_up_now(watched=running, actor=PORTAL, reason="x")
    assert carry_out_backup(backup, wants_leave=lambda: True) == "handed over"
    recover_backups(set())
    assert run_backup(str(backup.pk)) == "made"
    assert len(list(Path(running.backup_dir).glob("*.tar.gz"))) == 1


@pytest.mark.docker
def test_what_a_person_put_there_appears_and_what_they_took_away_goes(
    running: WatchedContainer, tmp_path: Path
) -> None:
    folder = Path(running.backup_dir)
    folder.mkdir()
    subprocess.run(
        ["tar", "czf", str(folder / "pre-upgrade-20250107.tar.gz"), "/etc/hostname"],
        check=True, capture_output=True,
    )  # fmt: skip
    look_for_backups(watched=running, actor=PORTAL)
    assert run_backup_look(str(running.pk)) == ""
    row = there(running).get()
    assert (row.path, row.requested_by_name, row.sha256) == (
        str(folder / "pre-upgrade-20250107.tar.gz"), "", "",
    )  # fmt: skip
    Path(row.path).unlink()
    run_backup_look(str(running.pk))
    assert not there(running).exists()


@pytest.mark.docker
def test_why_there_is_none_is_on_record(running: WatchedContainer) -> None:
    WatchedContainer.objects.filter(pk=running.pk).update(volumes=["no-such-volume"])
    running.refresh_from_db()
    backup = back_up_now(watched=running, actor=PORTAL, reason="x")
    assert run_backup(str(backup.pk)) == "refused"
    backup.refresh_from_db()
    assert "no volume no-such-volume" in backup.error
    assert not backup.is_waiting


def test_an_engine_that_does_not_answer_is_said(watched: WatchedContainer) -> None:
    backup = back_up_now(watched=watched, actor=PORTAL, reason="x")
    watched.volumes = ["data"]
    watched.save()
    assert run_backup(str(backup.pk)) == "refused"
    backup.refresh_from_db()
    assert "docker.sock" in backup.error


def test_one_is_put_back_by_an_upgrade_that_keeps_the_image(watched: WatchedContainer) -> None:
    backup = made(watched)
    upgrade = restore_backup(backup=backup, actor=PORTAL, reason="Lost rows")
    assert upgrade.plan["data_from"] == backup.path
    assert upgrade.plan["image"] == watched.image
    assert (upgrade.plan["mode"], upgrade.plan["kept_of"]) == (Mode.RESTORE, None)
    assert upgrade.plan["backup"]["wanted"], "what is there now is backed up first"
    assert AuditEvent.objects.filter(action="backup.restore", reason="Lost rows").exists()
    with pytest.raises(TargetBusy):
        restore_backup(backup=backup, actor=PORTAL, reason="Again")


def test_one_is_deleted_and_its_row_stays(watched: WatchedContainer) -> None:
    old, _ = made(watched, days_ago=1), made(watched)
    Path(watched.backup_dir).mkdir()
    Path(old.path).write_text("x")
    Path(f"{old.path}.sha256").write_text("x")
    delete_backup(backup=old, actor=PORTAL, reason="Holds what has to be forgotten")
    with pytest.raises(Refused, match="being deleted"):
        restore_backup(backup=Backup.objects.get(pk=old.pk), actor=PORTAL, reason="x")
    assert run_backup_deletion(str(old.pk)) == "deleted"
    assert list(Path(watched.backup_dir).iterdir()) == []
    old.refresh_from_db()
    assert old.deleted_at is not None
    assert AuditEvent.objects.get(action="backup.delete").data["path"] == old.path


def test_the_only_good_one_is_not_deleted(watched: WatchedContainer) -> None:
    only = made(watched)
    with pytest.raises(Refused, match="known to be good"):
        delete_backup(backup=only, actor=PORTAL, reason="x")
    by_hand = made(watched, sha256="")
    with pytest.raises(Refused, match="known to be good"):
        delete_backup(backup=only, actor=PORTAL, reason="x")
    delete_backup(backup=by_hand, actor=PORTAL, reason="x")
    made(watched, deleted_at=clock.now())
    with pytest.raises(Refused, match="known to be good"):
        delete_backup(backup=only, actor=PORTAL, reason="x")


def test_nothing_is_ordered_while_an_upgrade_is_active(watched: WatchedContainer) -> None:
    backups = [made(watched), made(watched)]
    upgrade = an_upgrade(watched)
    Upgrade.objects.filter(pk=upgrade.pk).update(state=State.INSTALLING)
    with pytest.raises(TargetBusy):
        back_up_now(watched=watched, actor=PORTAL, reason="x")
    with pytest.raises(TargetBusy):
        restore_backup(backup=backups[0], actor=PORTAL, reason="x")
    with pytest.raises(TargetBusy):
        delete_backup(backup=backups[0], actor=PORTAL, reason="x")
    Upgrade.objects.filter(pk=upgrade.pk).update(state=State.PENDING)
    waiting = back_up_now(watched=watched, actor=PORTAL, reason="x")
    Upgrade.objects.filter(pk=upgrade.pk).update(state=State.VERIFYING)
    assert run_backup(str(waiting.pk)) == "waits"


def test_upgrades_leave_their_backups_on_record(watched: WatchedContainer) -> None:
    before, upgrade = made(watched), an_upgrade(watched)
    written = {
        "path": f"{watched.backup_dir}/upgrade-backup-20260203_040506.tar.gz", "size": 7, "sha256": "1" * 64,
        "taken_at": "2026-02-03T04:05:06+00:00", "is_live": False,
    }  # fmt: skip
    upgrade.facts = {"copied_final": written, "pruned": [before.path]}
    record_backups(upgrade)
    row = Backup.objects.get(upgrade=upgrade)
    assert (row.path, row.size, row.version, row.is_there) == (written["path"], 7, "1", True)
    before.refresh_from_db()
    assert before.deleted_at is not None


def test_each_verb_has_a_permission_of_its_own(watched: WatchedContainer) -> None:
    operator, backups = somebody("olga", "add_backup"), [made(watched), made(watched)]
    nobody = somebody("nora")
    for verb in (restore_backup, delete_backup):
        with pytest.raises(NotPermitted):
            verb(backup=backups[0], actor=operator, reason="x")
    with pytest.raises(NotPermitted):
        back_up_now(watched=watched, actor=nobody, reason="x")
    with pytest.raises(NotPermitted):
        look_for_backups(watched=watched, actor=nobody)
    with pytest.raises(Refused, match="Say why"):
        back_up_now(watched=watched, actor=operator, reason=" ")


def an_upgrade(watched: WatchedContainer) -> Upgrade:
    plan = plan_container(watched, image=watched.image)
    upgrade = build_container_upgrade(plan, watched=watched, actor=PORTAL, reason="x")
    upgrade.save()
    return upgrade
