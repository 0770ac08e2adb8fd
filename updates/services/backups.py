"""Backups of watched containers' data, as people order them: one now, one put back, one deleted."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Final

from django.db import transaction

from portal.core import audit, clock
from portal.core.actors import Actor
from portal.core.errors import Conflict, Refused
from updates import dispatch
from updates.errors import TargetBusy
from updates.machine import ACTIVE, State
from updates.models import Backup, Upgrade, WatchedContainer
from updates.plan import Mode
from updates.services.backup_records import there
from updates.services.container_orders import build_container_upgrade, plan_container
from updates.services.ordering import locked_idle, place
from updates.services.portal_backups import hand_over_backup, look_in_directory
from updates.services.portal_state import watchdog_status
from updates.services.reasons import given_reason
from updates.services.watching import require_watched

ADD: Final = "updates.add_backup"
RESTORE: Final = "updates.restore_backup"
DELETE: Final = "updates.delete_backup"
MAKE_JOB: Final = "updates.jobs.run_backup"
DELETE_JOB: Final = "updates.jobs.run_backup_deletion"
PORTALS_WAY_BACK: Final = (
    "The portal's own data are put back by hand, as portal/docs/portal-backups.md says."
)
ONLY_ONE: Final = "It is the only backup that is known to be good: make another one first."


class Situation:
    """What is known of a watched container's backups at one moment: which verb is possible now, and why another is not."""

    def __init__(self, watched: WatchedContainer) -> None:
        self._watched = watched
        self._is_making = Backup.objects.filter(watched=watched, taken_at=None, error="").exists()
        self._holder = (
            Upgrade.objects.filter(
                device=watched.instance.device_id, state__in=[*ACTIVE, State.PENDING]
            )
            .select_related("device", "instance")
            .order_by("created_at")
            .first()
        )
        rows = there(watched).filter(delete_requested_at=None)
        self._sums: dict[int, str] = dict(rows.values_list("pk", "sha256"))

    def why_not_make(self) -> Refused | None:
        """Why none can be made now, if so."""
        deaf = watchdog_status().says if self._watched.is_portal else ""
        if deaf:
            return Refused(deaf)
        return self._unwatched() or self._making() or self.why_not_touch()

    def why_not_restore(self, backup: Backup) -> Refused | None:
        """Why this one cannot be put back now, if so."""
        if self._watched.is_portal:
            return Refused(PORTALS_WAY_BACK)
        return self._unwatched() or self._absent(backup) or self._making() or self._busy()

    def why_not_delete(self, backup: Backup) -> Refused | None:
        """Why this one cannot be deleted now, if so."""
        absent = self._absent(backup)
        if absent is not None:
            return absent
        others = {pk: found for pk, found in self._sums.items() if pk != backup.pk}
        if not others or (backup.sha256 and not any(others.values())):
            return Refused(ONLY_ONE)
        return self.why_not_touch()

    def why_not_touch(self) -> Refused | None:
        """Why what is on the device has to be left alone: an upgrade there has left PENDING, and is not over."""
        holder = self._holder
        return None if holder is None or holder.state == State.PENDING else self._busy()

    def _busy(self) -> Refused | None:
        holder = self._holder
        if holder is None:
            return None
        sentence = (
            f"{holder.device} is busy: {holder} is {State(holder.state).value.replace('_', ' ')}."
        )
        return TargetBusy(sentence, holder=str(holder.pk))

    def _making(self) -> Refused | None:
        return Conflict(f"A backup of {self._watched} is being made.") if self._is_making else None

    def _unwatched(self) -> Refused | None:
        gone = self._watched.unwatched_at is not None
        return Refused(f"{self._watched} is watched no longer.") if gone else None

    def _absent(self, backup: Backup) -> Refused | None:
        if not backup.is_there:
            return Refused("There is no file of it on the device.")
        return Refused("It is being deleted.") if backup.delete_requested_at else None


def back_up_now(*, watched: WatchedContainer, actor: Actor, reason: str) -> Backup:
    """A worker, or the portal's watchdog, will copy the data while the containers run; the row says what became of it.

    Conflict while another one is being made; TargetBusy while an upgrade is active on the device.
    """
    actor.require(ADD)
    why = given_reason(reason)
    with transaction.atomic():
        row = _locked(watched)
        _go_on(Situation(row).why_not_make())
        backup = Backup.objects.create(
            watched=row,
            version=row.instance.version,
            is_live=True,
            reason=why,
            requested_by_name=actor.name,
            created_at=clock.now(),
        )
        audit.record(actor=actor, action="container.back_up", subject=row.instance, reason=why)
        if row.is_portal:
            transaction.on_commit(partial(hand_over_backup, backup))
        else:
            _start(MAKE_JOB, backup)
    return backup


def restore_backup(*, backup: Backup, actor: Actor, reason: str) -> Upgrade:
    """An upgrade of the containers is on its way that puts this backup's data in place; the image stays.

    What is there now is backed up first. TargetBusy while an upgrade is active on the device or waits there.
    """
    actor.require(RESTORE)
    with transaction.atomic():
        watched = _locked(backup.watched)
        locked_idle(watched.instance.device)
        _go_on(Situation(watched).why_not_restore(Backup.objects.get(pk=backup.pk)))
        plan = plan_container(watched, mode=Mode.RESTORE, image=watched.image)
        plan = replace(plan, data_from=backup.path)
        upgrade = build_container_upgrade(plan, watched=watched, actor=actor, reason=reason)
        return place(upgrade, actor=actor, action="backup.restore")


def delete_backup(*, backup: Backup, actor: Actor, reason: str) -> Backup:
    """A worker will delete the file; the row stays. Refused for the only good one."""
    actor.require(DELETE)
    why = given_reason(reason)
    with transaction.atomic():
        watched = _locked(backup.watched)
        row = Backup.objects.get(pk=backup.pk)
        _go_on(Situation(watched).why_not_delete(row))
        row.delete_requested_at, row.error = clock.now(), ""
        row.save(update_fields=["delete_requested_at", "error"])
        audit.record(
            actor=actor,
            action="backup.delete",
            subject=watched.instance,
            reason=why,
            data={"path": row.path},
        )
        _start(DELETE_JOB, row)
    return row


def look_for_backups(*, watched: WatchedContainer, actor: Actor) -> None:
    """A worker will look what lies in the directory: what a person has put there, or taken away, is on record then."""
    actor.require(ADD)
    require_watched(watched)
    audit.record(actor=actor, action="container.look_for_backups", subject=watched.instance)
    look_in_directory(watched.pk)


def recover_backups(known: set[str]) -> None:
    """What is to be made or deleted, and whose job is not among `known`, has a job again: see `settings.RECOVERED`."""
    rows = Backup.objects.filter(deleted_at=None)
    for job, due in (
        (MAKE_JOB, rows.filter(taken_at=None, error="", watched__is_portal=False)),
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


def _locked(watched: WatchedContainer) -> WatchedContainer:
    rows = WatchedContainer.objects.select_for_update(of=["self"])
    return rows.select_related("instance__device").get(pk=watched.pk)


def _go_on(why_not: Refused | None) -> None:
    if why_not is not None:
        raise why_not
