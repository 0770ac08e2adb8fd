"""Whose turn is next on a device."""

from __future__ import annotations

from django.db.models import Exists, OuterRef, QuerySet

from updates import dispatch, journal
from updates.machine import ACTIVE, State
from updates.models import Upgrade


def start_next(finished: Upgrade) -> None:
    """The oldest upgrade that waited for `finished`'s device is enqueued. Called in the transaction that finishes it."""
    waiting = (
        Upgrade.objects.filter(
            device=finished.device_id, state=State.PENDING, executor=Upgrade.Executor.WORKER
        )
        .order_by("created_at", "id")
        .first()
    )
    if waiting is not None:
        dispatch.start_upgrades([waiting])


def waits_for(upgrade: Upgrade) -> Upgrade | None:
    """What has to end on the device before `upgrade` may start: the one that is active, else an older one that waits."""
    return journal.ahead_of(upgrade)


def ready() -> QuerySet[Upgrade]:
    """Waiting upgrades whose turn it is: nothing active on their device, nobody older in front of them."""
    others = Upgrade.objects.filter(device=OuterRef("device"))
    return Upgrade.objects.filter(
        ~Exists(others.filter(state__in=ACTIVE)),
        ~Exists(others.filter(state=State.PENDING, created_at__lt=OuterRef("created_at"))),
        state=State.PENDING,
        executor=Upgrade.Executor.WORKER,
    )
