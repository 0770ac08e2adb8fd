"""Backups of the portal's own data that people want now: its watchdog makes them, which reads no database."""

from __future__ import annotations

import structlog
from django.conf import settings
from django.db.models import QuerySet

from updates import dispatch
from updates.models import Backup
from updates.services.backup_records import LONGEST_ERROR, columns
from updates.services.portal_state import folder
from updates.watchdog.backup_order import BackupOrder, read_backup_order
from updates.watchdog.durable import remove

log = structlog.get_logger(__name__)

LOOK_JOB = "updates.jobs.run_backup_look"


def hand_over_backup(backup: Backup) -> None:
    """The watchdog finds the order; what cannot be written now is written by `follow_backup` later."""
    place = folder()
    try:
        place.make()
        if not place.backup_order.exists():
            order = BackupOrder(backup.pk, settings.VERSION, ordered_at=_ordered_at(backup))
            order.write(place)
    except OSError as error:
        log.error("the backup cannot be ordered", backup=backup.pk, error=str(error))


def follow_backup() -> None:
    """What became of the backup that the watchdog was told to make is on record; one that it has lost is told again."""
    place = folder()
    try:
        order = read_backup_order(place)
    except (OSError, ValueError) as error:
        log.error("the order of a backup is put away", error=str(error))
        remove(place.backup_order)
        order = None
    waiting = Backup.objects.filter(watched__is_portal=True, taken_at=None, error="")
    meant = None if order is None else _meant(waiting, order)
    if order is not None and (order.is_over or meant is None):
        if meant is not None:
            _take_in(meant, order)
        remove(place.backup_order)
        order = None
    lost = waiting.order_by("pk").first() if order is None else None
    if lost is not None:
        hand_over_backup(lost)


def _meant(waiting: QuerySet[Backup], order: BackupOrder) -> Backup | None:
    """The row that the order is of: not one of the same number in a database that was put back."""
    row = waiting.filter(pk=order.backup).first()
    is_of_it = row is not None and order.ordered_at in ("", _ordered_at(row))
    return row if is_of_it else None


def _ordered_at(backup: Backup) -> str:
    return backup.created_at.isoformat()


def look_in_directory(watched_id: int) -> None:
    """A worker will look which backups lie there."""
    dispatch.start_job(LOOK_JOB, argument=str(watched_id), job=f"backup-look-{watched_id}")


def _take_in(backup: Backup, order: BackupOrder) -> None:
    if order.written is not None:
        for name, value in columns(order.written).items():
            setattr(backup, name, value)
    else:
        backup.error = order.error[:LONGEST_ERROR]
    backup.save()
    look_in_directory(backup.watched_id)
