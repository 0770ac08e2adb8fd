"""Carrying out a backup of the portal that somebody wants now, in the surroundings of the watchdog."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any, Final

import structlog

from devices.drivers.engine import Engine
from devices.drivers.local import LocalShell
from devices.errors import DeviceError, DeviceUnreachable, StaleHolder, StepStillRunning
from portal.core.errors import Refused
from updates.errors import StepFailed
from updates.machine import Outcome
from updates.output import blot_out
from updates.plan import ContainerPlan
from updates.recipes.container.backup_alone import backed_up
from updates.recipes.container.backup_journal import BackupJournal
from updates.recipes.container.backups import Backups
from updates.recipes.container.recipe import BACKUP
from updates.recipes.detached import BACKUP as BACKUP_HOLDER
from updates.recipes.detached import DetachedCalls
from updates.runner import Context, HandOver
from updates.watchdog.backup_order import MOST_BYTES, BackupOrder
from updates.watchdog.durable import read_whole, remove, write_whole
from updates.watchdog.folder import Folder
from updates.watchdog.hidden import Secrets
from updates.watchdog.limits import KILL_AFTER_SECONDS, STATE_LIMIT_SECONDS
from updates.watchdog.record import records
from updates.watchdog.trigger import Trigger

log = structlog.get_logger(__name__)

FAULT: Final = "A fault in the watchdog itself: its log has the details."


def carry_out_backup(
    order: BackupOrder,
    folder: Folder,
    *,
    open_engine: Callable[[], AbstractContextManager[Engine]],
    plan_on: Callable[[Engine, Trigger], ContainerPlan],
    wants_leave: Callable[[], bool],
) -> None:
    """The order says what became of it. While the engine does not answer, or the watchdog is to leave, it waits as it is."""
    secrets: tuple[str, ...] = ()
    try:
        with open_engine() as engine:
            plan = plan_on(engine, _as_trigger(order))
            secrets = Secrets(engine, plan.containers)()
            order.facts = _progress(folder, order)
            order.written = _made(order, plan, folder, engine, wants_leave=wants_leave)
    except (DeviceUnreachable, StepStillRunning, StaleHolder, HandOver) as error:
        log.info("the backup waits", backup=order.backup, why=str(error))
        return
    except (DeviceError, Refused, StepFailed) as error:
        order.error = blot_out(str(error), secrets)
    except OSError:
        raise  # the folder takes nothing: it is tried again
    except Exception:
        order.error = FAULT
        _end(order, folder)
        raise
    _end(order, folder)
    log.info("the backup is over", backup=order.backup, error=order.error)


def _end(order: BackupOrder, folder: Folder) -> None:
    """The order says how it ended, and nothing is remembered of it."""
    order.write(folder)
    remove(folder.backup_progress)


def _as_trigger(order: BackupOrder) -> Trigger:
    """What the planner makes the plan of: what runs, as it is."""
    return Trigger(
        upgrade=f"{BACKUP_HOLDER}{order.backup}",
        version=order.version,
        from_version=order.version,
    )


def _made(
    order: BackupOrder,
    plan: ContainerPlan,
    folder: Folder,
    engine: Engine,
    *,
    wants_leave: Callable[[], bool],
) -> dict[str, Any]:
    def keep(facts: dict[str, Any]) -> None:
        order.facts = facts
        said = {"backup": order.backup, "ordered_at": order.ordered_at, "facts": facts}
        write_whole(folder.backup_progress, json.dumps(said).encode())
        order.write(folder)

    shell = LocalShell()
    if not order.facts:
        # One of this number, from before a database was put back, may have left its steps.
        shell.remove_tree(f"{plan.device.work_root}/{plan.upgrade}")
    journal = BackupJournal(
        order.backup,
        order.facts,
        keep=keep,
        trouble=(OSError,),
        limit_seconds=STATE_LIMIT_SECONDS["backing_up"],
        wants_leave=wants_leave,
    )
    calls = DetachedCalls(
        shell, work_root=plan.device.work_root, kill_after_seconds=KILL_AFTER_SECONDS
    )
    backups = Backups(
        plan, shell, engine, calls,
        place_of=lambda _volume: str(folder.data),
        now=lambda: datetime.now(UTC),
        stage=str(folder.stage),
    )  # fmt: skip
    return backed_up(Context(journal), plan, shell, backups, never=_needed(folder)).as_json()


def _progress(folder: Folder, order: BackupOrder) -> dict[str, Any]:
    """What the watchdog itself remembers of it: who may write the order says nothing of where files are written."""
    content = read_whole(folder.backup_progress, most_bytes=MOST_BYTES)
    known = json.loads(content) if content else {}
    is_of_it = (known.get("backup"), known.get("ordered_at", "")) == (
        order.backup,
        order.ordered_at,
    )
    return dict(known["facts"]) if is_of_it else {}


def _needed(folder: Folder) -> list[str]:
    """What the newest upgrade would be taken back with."""
    kept = [
        one.facts[BACKUP]["path"]
        for one in records(folder)
        if one.outcome == Outcome.SUCCEEDED and one.facts.get(BACKUP)
    ]
    return kept[-1:]
