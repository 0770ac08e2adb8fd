"""Upgrades that the portal ends because their device does not: it fell silent, or it is no device of ours any more."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import structlog
from django.db import transaction
from django.utils.timesince import timesince

from devices.models import Device
from portal.core import clock
from portal.core.actors import PORTAL
from updates import journal
from updates.course import forced_outcome
from updates.limits import last_word, overdue_at_devices
from updates.machine import Outcome, State, given_up
from updates.models import Upgrade
from updates.reported import DECOMMISSIONED, SILENT, words
from updates.runner import Failure

log = structlog.get_logger(__name__)

AT_ONCE: Final = 1000


def end_silent(_known: object = None) -> None:
    """Every upgrade of which its device has said nothing for longer than its state may take is over: see `settings.RECOVERED`.

    `failed` when nothing was changed yet, else `broken`; `cancelled` where that was asked for and nothing was changed.
    """
    for pk in list(overdue_at_devices(clock.now()).values_list("pk", flat=True)[:AT_ONCE]):
        with transaction.atomic():
            now = clock.now()
            rows = overdue_at_devices(now).select_for_update(of=("self",)).filter(pk=pk)
            row = rows.select_related("device").first()
            if row is not None:
                _end(row, now)


def end_for(device: Device) -> None:
    """No upgrade of the device is open that it would carry out itself. In the caller's transaction."""
    mine = Upgrade.objects.filter(device=device, executor=Upgrade.Executor.DEVICE)
    mine = mine.exclude(state=State.FINISHED)
    why = "The device was decommissioned."
    journal.cancel_waiting(mine, by=PORTAL.name, why=why)
    for row in mine.order_by("created_at"):
        says = f"The device was decommissioned while {words(State(row.state))}."
        outcome = forced_outcome(State(row.state), _decided(row))
        failure = Failure(code=DECOMMISSIONED, sentence=says)
        journal.end_row(str(row.pk), failure, outcome=outcome)


def _end(row: Upgrade, now: datetime) -> None:
    state = State(row.state)
    since = last_word(row)
    outcome = given_up(state, _decided(row))
    if outcome is Outcome.FAILED and row.cancel_requested_at is not None:
        outcome = Outcome.CANCELLED
    log.warning("device is silent", upgrade=str(row.pk), device=row.device.name, state=state.value)
    failure = Failure(code=SILENT, sentence=_why(row, state, since=since, now=now))
    journal.end_row(str(row.pk), failure, outcome=outcome)


def _why(row: Upgrade, state: State, *, since: datetime, now: datetime) -> str:
    seen = row.device.last_seen or since
    if seen <= since + timedelta(hours=1):
        for_so_long = timesince(max(since, seen), now)
        return f"The device went silent while {words(state)}: nothing was heard of it for {for_so_long}."
    for_so_long, ago = timesince(since, now), timesince(seen, now)
    return (
        f"The device said nothing of this upgrade for {for_so_long} while {words(state)}; "
        f"it was still heard of {ago} ago."
    )


def _decided(row: Upgrade) -> Outcome | None:
    return Outcome(row.outcome) if row.outcome else None
