"""Backups of watched containers' data, as people order them: one now, one put back, one deleted."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from django.db import transaction

from portal.core import audit, clock
from portal.core.actors import Actor
from portal.core.errors import Conflict, Refused
from updates import dispatch
from updates.errors import TargetBusy
from updates.machine import ACTIVE
from updates.models import Backup, Upgrade, WatchedContainer
from updates.plan import Mode
from updates.services.backup_records import there
from updates.services.container_orders import build_container_upgrade, plan_container
from updates.services.ordering import locked_idle, place
from updates.services.reasons import given_reason
from updates.services.watching import require_watched

ADD: Final = "updates.add_backup"
RESTORE: Final = "updates.restore_backup"
DELETE: Final = "updates.delete_backup"
MAKE_JOB: Final = "updates.jobs.run_backup"
DELETE_JOB: Final = "updates.jobs.run_backup_deletion"
LOOK_JOB: Final = "updates.jobs.run_backup_look"
PORTALS_OWN: Final = (
    "The portal's own data are backed up by its watchdog, when it upgrades the portal."
)


def back_up_now(*, watched: WatchedContainer, actor: Actor, reason: str) -> Backup:
    """A worker will copy the data while the containers run; the row says what became of it.

    Conflict while another one is being made; TargetBusy while an upgrade is active on the device.
    """
    actor.require(ADD)
    why = given_reason(reason)
    with transaction.atomic():
        row = WatchedContainer.objects.select_for_update(of=["self"]).get(pk=watched.pk)
        refuse_backup(row)
        backup = Backup.objects.create(
            watched=row,
            version=row.instance.version,
            is_live=True,
            reason=why,
            requested_by_name=actor.name,
            created_at=clock.now(),
        )
        audit.record(actor=actor, action="container.back_up", subject=row.instance, reason=why)
        _start(MAKE_JOB, backup)
    return backup


def refuse_backup(watched: WatchedContainer) -> None:
    """Nothing, or why no backup can be ordered now."""
    require_watched(watched)
    if watched.is_portal:
        raise Refused(PORTALS_OWN)
    if waiting(watched):
        raise Conflict(f"A backup of {watched} is being made already.")
    refuse_while_upgrading(watched)


def refuse_while_upgrading(watched: WatchedContainer) -> None:
    """Nothing, or TargetBusy: an upgrade is active on the device, which stops and starts containers."""
    device = watched.instance.device
    holder = Upgrade.objects.filter(device=device, state__in=ACTIVE).first()
    if holder is not None:
        raise TargetBusy(f"{device} is busy: {holder} is not over.", holder=str(holder.pk))


def waiting(watched: WatchedContainer) -> bool:
    """Whether a backup was ordered that is not made yet."""
    return Backup.objects.filter(watched=watched, taken_at=None, error="").exists()


def restore_backup(*, backup: Backup, actor: Actor, reason: str) -> Upgrade:
    """An upgrade of the containers is on its way that puts this backup's data in place; the image stays.

    What is there now is backed up first. TargetBusy while an upgrade is active on the device or waits there.
    """
    actor.require(RESTORE)
    watched = backup.watched
    refuse_restore(backup)
    with transaction.atomic():
        locked_idle(watched.instance.device)
        plan = plan_container(watched, mode=Mode.RESTORE, image=watched.image)
        plan = replace(plan, data_from=backup.path)
        upgrade = build_container_upgrade(plan, watched=watched, actor=actor, reason=reason)
        return place(upgrade, actor=actor, action="backup.restore")


def refuse_restore(backup: Backup) -> None:
    """Nothing, or why this backup cannot be put back."""
    require_watched(backup.watched)
    _require_there(backup)
    if backup.watched.is_portal:
        raise Refused(
            "The portal's own data are put back with `docker compose` and the file: see its documentation."
        )
    if waiting(backup.watched):
        raise Conflict(f"A backup of {backup.watched} is being made: wait until it is over.")


def delete_backup(*, backup: Backup, actor: Actor, reason: str) -> None:
    """A worker will delete the file; the row stays. Refused for the only one that there is."""
    actor.require(DELETE)
    why = given_reason(reason)
    with transaction.atomic():
        WatchedContainer.objects.select_for_update(of=["self"]).get(pk=backup.watched_id)
        row = Backup.objects.get(pk=backup.pk)
        refuse_deletion(row)
        row.delete_requested_at, row.error = clock.now(), ""
        row.save(update_fields=["delete_requested_at", "error"])
        audit.record(
            actor=actor,
            action="backup.delete",
            subject=row.watched.instance,
            reason=why,
            data={"path": row.path},
        )
        _start(DELETE_JOB, row)


def refuse_deletion(backup: Backup) -> None:
    """Nothing, or why this backup cannot be deleted."""
    _require_there(backup)
    others = there(backup.watched).filter(delete_requested_at=None).exclude(pk=backup.pk)
    if not others.exclude(sha256="").exists() and backup.sha256:
        raise Refused("It is the only backup that is known to be good: make another one first.")
    if others.count() == 0:
        raise Refused("It is the only backup: make another one first.")
    refuse_while_upgrading(backup.watched)


def look_for_backups(*, watched: WatchedContainer, actor: Actor) -> None:
    """A worker will look what lies in the directory: what a person has put there, or taken away, is on record then."""
    actor.require(ADD)
    require_watched(watched)
    audit.record(actor=actor, action="container.look_for_backups", subject=watched.instance)
    dispatch.start_job(LOOK_JOB, argument=str(watched.pk), job=f"backup-look-{watched.pk}")


def recover_backups(known: set[str]) -> None:
    """What is to be made or deleted, and whose job is not among `known`, has a job again: see `settings.RECOVERED`."""
    rows = Backup.objects.filter(deleted_at=None)
    for job, due in (
        (MAKE_JOB, rows.filter(taken_at=None, error="")),
        (DELETE_JOB, rows.filter(delete_requested_at__isnull=False)),
    ):
        for backup in due:
            if job_id(job, backup) not in known:
                _start(job, backup)


def job_id(job: str, backup: Backup) -> str:
    """The id of the job that does this to the backup: twice enqueued it is still one job."""
    return f"{job.rpartition('.')[2]}-{backup.pk}"


def _start(job: str, backup: Backup) -> None:
    dispatch.start_job(job, argument=str(backup.pk), job=job_id(job, backup))


def _require_there(backup: Backup) -> None:
    if not backup.is_there:
        raise Refused("There is no file of it on the device.")
    if backup.delete_requested_at is not None:
        raise Refused("It is being deleted.")
