"""Carrying out one upgrade in a worker: claim it, advance it, or leave it to somebody else."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

import structlog

from devices import services as devices
from devices.drivers.shell import Shell
from devices.errors import StaleHolder
from updates import journal, lease
from updates.errors import LeaseLost, TargetBusy, TooLate
from updates.journal import DatabaseJournal
from updates.machine import ACTIVE, State
from updates.models import Upgrade
from updates.runner import HandOver, Recipe, WhenNeeded, advance
from updates.services.order_cancels import called_off_by
from updates.services.portal_state import closed_by

log = structlog.get_logger(__name__)

MakeRecipe = Callable[[Upgrade, Shell], Recipe]


class Ending(StrEnum):
    """How a worker's part in an upgrade ended. Only FINISHED is the end of the upgrade itself."""

    FINISHED = "finished"
    WAITS = "waits"
    HELD = "held by another worker"
    HANDED_OVER = "handed over"
    LOST = "lost to another worker"


def carry_out(
    upgrade_id: str, *, make_recipe: MakeRecipe, worker: str, wants_leave: Callable[[], bool]
) -> Ending:
    """The upgrade went as far as this worker could take it. Safe to call twice, late, or at the same time elsewhere."""
    upgrade = _fresh(upgrade_id)
    ending = _nothing_to_do(upgrade)
    if ending is not None:
        return ending
    was_held = upgrade.lease_until is not None
    fence = lease.claim(upgrade_id, worker=worker)
    if fence is None:
        return Ending.HELD
    with structlog.contextvars.bound_contextvars(upgrade=upgrade_id, device=upgrade.device.name):
        try:
            with (
                devices.opened(upgrade.device) as shell,
                DatabaseJournal(
                    upgrade_id,
                    fence=fence,
                    secrets=devices.secrets_of(upgrade.device),
                    wants_leave=lambda: wants_leave() or closed_by() is not None,
                ) as book,
            ):
                if was_held and book.state in ACTIVE:
                    book.took_over(worker=worker)
                advance(book, WhenNeeded(lambda: make_recipe(_fresh(upgrade_id), shell)))
        except TargetBusy:
            lease.release(upgrade_id, fence=fence)
            return Ending.WAITS
        except HandOver:
            lease.release(upgrade_id, fence=fence)
            return Ending.HANDED_OVER
        except (LeaseLost, StaleHolder):
            log.warning("lost the upgrade to another worker")
            return Ending.LOST
    return Ending.FINISHED


def _nothing_to_do(upgrade: Upgrade) -> Ending | None:
    """Found out by reading alone, unless it was called off: a job too many need not wait for anybody who writes."""
    if upgrade.state == State.FINISHED:
        return Ending.FINISHED
    if upgrade.state == State.PENDING and journal.ahead_of(upgrade) is not None:
        return Ending.WAITS
    if closed_by() is not None:  # the portal is about to be stopped; `recover` comes back to it
        return Ending.WAITS
    if upgrade.state == State.PENDING and (by := called_off_by(upgrade)):
        return _call_off(upgrade, by=by)
    return None


def _call_off(upgrade: Upgrade, *, by: str) -> Ending:
    """Over before it began. Should another worker have been quicker, it hears of the wish as what runs does."""
    try:
        is_over = journal.request_cancel(str(upgrade.pk), by=by) is State.PENDING
    except TooLate:
        is_over = _fresh(str(upgrade.pk)).state == State.FINISHED
    return Ending.FINISHED if is_over else Ending.HELD


def _fresh(upgrade_id: str) -> Upgrade:
    rows = Upgrade.objects.select_related(
        "device__credential", "instance", "deployment", "module_order"
    )
    return rows.defer(
        "deployment__left_out", "deployment__selection", "module_order__left_out"
    ).get(pk=upgrade_id)
