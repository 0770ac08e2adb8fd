"""What workers do about backups that belong to no upgrade: make one, delete one, look which there are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError

from devices import services as devices
from devices.drivers.engine import Engine
from devices.drivers.shell import Shell
from devices.errors import DeviceError, DeviceUnreachable, StaleHolder, StepStillRunning
from devices.services.engines import opened_engine
from portal.core import clock
from portal.core.errors import Refused
from updates.errors import StepFailed
from updates.machine import State
from updates.models import Backup, WatchedContainer
from updates.plan import ContainerPlan
from updates.recipes.container.backup_alone import backed_up
from updates.recipes.container.backup_files import BackupFiles
from updates.recipes.container.backup_journal import BackupJournal
from updates.recipes.container.backups import Backups
from updates.recipes.detached import DetachedCalls
from updates.runner import Context, HandOver
from updates.services.backup_records import LONGEST_ERROR, columns, note_found, there
from updates.services.backups import Situation
from updates.services.container_orders import plan_container
from updates.services.container_recipes import mountpoint

log = structlog.get_logger(__name__)


def carry_out_backup(backup: Backup, *, wants_leave: Callable[[], bool]) -> str:
    """The backup is there, or the row says why not. While an upgrade is active on the device, or this worker leaves, it waits."""
    if not backup.is_waiting:
        return "over"
    try:
        if Situation(backup.watched).why_not_touch() is not None:
            return "waits"
        written = _made(backup, Context(_journal(backup, wants_leave)))
    except StepStillRunning:
        return "waits"
    except (HandOver, StaleHolder):
        return "handed over"
    except (DeviceError, Refused, StepFailed) as error:
        return _refused(backup, str(error))
    except Exception:
        _refused(backup, "A fault in the portal itself: its log has the details.")
        raise
    for name, value in columns(written).items():
        setattr(backup, name, value)
    backup.save()
    look_at_backups(backup.watched)
    return "made"


def carry_out_deletion(backup: Backup) -> str:
    """The file is gone, or the row says why not. While the device cannot be reached, it waits."""
    if backup.delete_requested_at is None or backup.deleted_at is not None:
        return "over"
    directory, _, name = backup.path.rpartition("/")
    try:
        with devices.opened(backup.watched.instance.device) as shell:
            BackupFiles(shell, directory).remove([name])
    except DeviceUnreachable:
        return "waits"
    except DeviceError as error:
        backup.delete_requested_at, backup.error = None, f"Not deleted. {error}"[:LONGEST_ERROR]
        backup.save(update_fields=["delete_requested_at", "error"])
        return "refused"
    backup.deleted_at = clock.now()
    backup.save(update_fields=["deleted_at"])
    return "deleted"


def look_at_backups(watched: WatchedContainer) -> str:
    """The record is as the directory on the device; while that cannot be reached, as it was."""
    try:
        with devices.opened(watched.instance.device) as shell:
            note_found(watched, BackupFiles(shell, watched.backup_dir).found())
    except DeviceError as error:
        log.warning("backups cannot be looked for", container=str(watched), error=str(error))
        return str(error)
    return ""


def _journal(backup: Backup, wants_leave: Callable[[], bool]) -> BackupJournal:
    def keep(facts: dict[str, Any]) -> None:
        backup.facts = facts
        backup.save(update_fields=["facts"])

    return BackupJournal(
        backup.pk,
        backup.facts,
        keep=keep,
        trouble=(OperationalError, InterfaceError),
        limit_seconds=settings.STATE_LIMIT_SECONDS[State.BACKING_UP],
        wants_leave=wants_leave,
    )


def _made(backup: Backup, context: Context) -> dict[str, Any]:
    watched = backup.watched
    device = watched.instance.device
    plan = replace(plan_container(watched, image=watched.image), upgrade=context.journal.upgrade)
    with devices.opened(device) as shell, opened_engine(device) as engine:
        backups = _backups(plan, shell, engine)
        return backed_up(context, plan, shell, backups, never=_needed(watched)).as_json()


def _backups(plan: ContainerPlan, shell: Shell, engine: Engine) -> Backups:
    calls = DetachedCalls(
        shell, work_root=plan.device.work_root, kill_after_seconds=settings.KILL_AFTER_SECONDS
    )
    return Backups(
        plan,
        shell,
        engine,
        calls,
        place_of=lambda volume: mountpoint(engine, volume),
        now=clock.now,
    )


def _needed(watched: WatchedContainer) -> list[str]:
    """What the newest upgrade would be taken back with."""
    newest = there(watched).filter(upgrade__isnull=False, is_live=False).first()
    return [newest.path] if newest else []


def _refused(backup: Backup, why: str) -> str:
    backup.error = why[:LONGEST_ERROR]
    backup.save(update_fields=["error"])
    return "refused"
