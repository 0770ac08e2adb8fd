"""Whose turn is next."""

from __future__ import annotations

from django.db.models import Q, QuerySet

from updates import dispatch, journal
from updates.machine import State
from updates.models import Upgrade
from updates.turns import ahead


def start_next(finished: Upgrade) -> None:
    """What waited for `finished` alone is enqueued. Called in the transaction that finishes it.

    What waits behind an upgrade that its device carried out is the device's own to ask for.
    """
    if finished.executor == Upgrade.Executor.DEVICE:
        return
    waited = Q(device=finished.device_id)
    if finished.module_order_id is not None:
        waited |= Q(module_order=finished.module_order_id, module_order__canary=True)
    dispatch.start_upgrades(ready().filter(waited).order_by("created_at", "id"))


def waits_for(upgrade: Upgrade) -> Upgrade | None:
    """What has to end before `upgrade` may start: see `updates.turns`."""
    return journal.ahead_of(upgrade)


def ready() -> QuerySet[Upgrade]:
    """Waiting upgrades whose turn it is."""
    waiting = Upgrade.objects.filter(state=State.PENDING, executor=Upgrade.Executor.WORKER)
    return waiting.annotate(ahead=ahead()).filter(ahead=None)
