"""Cancelling an order to many: the wish is on record at once, and its upgrades hear of it in small pieces.

The wish alone keeps everything of the order that waits from beginning. The pieces are jobs, so that a worker between two of them
is free for upgrades, and nobody who writes waits for long; one that was cut off is done again by `recover`.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from portal.core import audit, clock, leaving
from portal.core.actors import Actor
from updates import dispatch, journal
from updates.errors import TooLate
from updates.machine import CANCELLABLE, State
from updates.models import Deployment, ModuleOrder, Upgrade

Order = Deployment | ModuleOrder

JOB: Final = "updates.jobs.run_order_cancel"
AT_ONCE: Final = 100
"""As many are cancelled while somebody waits for the page; more of them by jobs."""
PIECE: Final = 200
PIECE_SECONDS: Final = 20


def cancel_order(order: Order, *, actor: Actor, reason: str) -> int:
    """Nothing of the order begins any more, and a cancel is on its way to all of it that can still be cancelled: how many."""
    actor.require("updates.cancel_upgrade")
    with transaction.atomic():
        order.cancel_requested_at, order.cancel_requested_by = clock.now(), actor.name
        order.cancel_done_at = None
        order.save(update_fields=["cancel_requested_at", "cancel_requested_by", "cancel_done_at"])
        count = left_to_cancel(order).count()
        audit.record(
            actor=actor, action=_action(order), subject=order, reason=reason,
            data={"upgrades": count},
        )  # fmt: skip
        if count > AT_ONCE:
            _start(order, left=count)
    if count <= AT_ONCE:
        carry_out_piece(order)
    return count


def left_to_cancel(order: Order) -> QuerySet[Upgrade]:
    """The order's upgrades that can be cancelled, and have not heard yet that they are to be.

    What was ordered after the wish, as a retry of one, is not meant.
    """
    return can_be_cancelled(order).filter(created_at__lte=order.cancel_requested_at)


def can_be_cancelled(order: Order) -> QuerySet[Upgrade]:
    """The order's upgrades that a cancel would reach, and that have not heard of one."""
    return order.upgrades.filter(state__in=CANCELLABLE, cancel_requested_at=None)


def carry_out_cancel(pk: str) -> int:
    """The next piece of the order of this id is cancelled: how many are left."""
    found = (kind.objects.filter(pk=pk).first() for kind in (Deployment, ModuleOrder))
    order = next(order for order in found if order is not None)
    return carry_out_piece(order) if order.is_being_cancelled else 0


def carry_out_piece(order: Order) -> int:
    """The next piece is cancelled, what runs before what waits; the rest is started as another job. How many are left."""
    by, until = order.cancel_requested_by, time.monotonic() + PIECE_SECONDS
    running = left_to_cancel(order).exclude(state=State.PENDING)
    for pk in list(running.values_list("pk", flat=True)[:PIECE]):
        _cancel_running(pk, by=by)
        if time.monotonic() > until:
            break
    else:
        _cancel_waiting(order, by=by)
    left = left_to_cancel(order).count()
    if not left:
        # Another wish that came in between is not met by this.
        mine = type(order).objects.filter(
            pk=order.pk, cancel_requested_at=order.cancel_requested_at
        )
        mine.update(cancel_done_at=clock.now())
    elif not leaving.is_wanted():
        _start(order, left=left)
    return left


def called_off_by(upgrade: Upgrade) -> str:
    """Who wants it cancelled with its whole order, before it has heard of that; empty: nobody."""
    order = upgrade.deployment or upgrade.module_order
    if order is None or order.cancel_requested_at is None:
        return ""
    return order.cancel_requested_by if upgrade.created_at <= order.cancel_requested_at else ""


def recover_order_cancels(known: Collection[str]) -> None:
    """Orders of which something is left to cancel have a job again: see `settings.RECOVERED`."""
    for kind in (Deployment, ModuleOrder):
        wanted = kind.objects.filter(cancel_requested_at__isnull=False, cancel_done_at=None)
        for order in wanted:
            left = left_to_cancel(order).count()
            if _job_id(order, left) not in known:
                _start(order, left=left)


def _cancel_running(pk: UUID, *, by: str) -> None:
    """In a transaction of its own: whoever holds it renews its lease meanwhile."""
    with transaction.atomic():
        try:
            journal.request_cancel(str(pk), by=by)
        except TooLate:
            return  # it moved on between our look and our word
        # It may rest, and nobody would hear it.
        dispatch.start_upgrades(Upgrade.objects.filter(pk=pk))


def _cancel_waiting(order: Order, *, by: str) -> None:
    # The newest first: where the canary is the last to go, those that wait for it hear what they were cancelled for.
    waiting = left_to_cancel(order).filter(state=State.PENDING).order_by("-created_at", "-id")
    some = list(waiting.values_list("pk", flat=True)[:PIECE])
    with transaction.atomic():
        why = f"{by} asked for a cancel."
        journal.cancel_waiting(Upgrade.objects.filter(pk__in=some), by=by, why=why)


def _start(order: Order, *, left: int) -> None:
    dispatch.start_job(JOB, argument=str(order.pk), job=_job_id(order, left))


def _job_id(order: Order, left: int) -> str:
    """The id of the job for the next piece: twice enqueued it is still one job."""
    return f"cancel-{order.pk}-{left}"


def _action(order: Order) -> str:
    return "deployment.cancel" if isinstance(order, Deployment) else "module_order.cancel"
