"""One verb for many devices: frozen when it is ordered, carried out in small pieces, each of them on record.

What takes long runs as jobs, a piece each, so that a worker between two pieces is free for upgrades. A piece that was cut off is
done again; everything here may be done twice.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Collection, Iterable
from functools import partial
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F, QuerySet
from django.utils.module_loading import import_string

from devices.models import BulkOrder, Device, DeviceGroup
from devices.queries import devices_open_to
from devices.services.devices import delete_device
from devices.services.reach import ask_who_it_is
from portal.core import audit, clock, leaving
from portal.core.actors import Actor, actor_of
from portal.core.errors import FleetwrightError, NotPermitted, Refused

Verb = BulkOrder.Verb
PERMISSIONS: Final = {
    Verb.REFRESH: "devices.refresh_device",
    Verb.ADD_TO_GROUP: "devices.change_devicegroup",
    Verb.REMOVE_FROM_GROUP: "devices.change_devicegroup",
    Verb.DELETE: "devices.delete_device",
}
JOB: Final = "devices.jobs.run_bulk"
AT_ONCE: Final = 100
"""As many are dealt with while somebody waits for the page; more of them, and whatever asks devices, run as jobs."""
MEANT_ABOVE: Final = 100
"""For more devices than these the number has to be said: nobody says 4312 by accident."""
FLEET_CHANGED: Final = "The fleet changed since you looked"
PIECE: Final = 500
PIECE_SECONDS: Final = 20
KEPT_FAILURES: Final = 200


def mark_of_these(ids: Iterable[object]) -> str:
    """How many they are, and a short word for exactly these, in whatever order: what a page that was looked at pins."""
    names = sorted(str(pk) for pk in ids)
    return f"{len(names)} {hashlib.sha256(' '.join(names).encode()).hexdigest()[:32]}"


def require_seen(
    *, ids: Collection[object], seen: str, changed: str = FLEET_CHANGED, what: str = "devices"
) -> None:
    """Nothing, or Refused: `seen` is not the mark of these, but of others. `changed` begins the sentence about `what`."""
    if seen == mark_of_these(ids):
        return
    before = seen.partition(" ")[0]
    if before != str(len(ids)):
        raise Refused(f"{changed}: it would be {len(ids)} {what} now, and not {before}.")
    raise Refused(f"{changed}: the {what} are not those that you saw, though as many.")


def require_meant(*, count: int, said: int | None, how: str, what: str = "devices") -> None:
    """Nothing, or Refused: many devices, and `said` is not their number. `how` is where to say it, `what` what is counted."""
    if count > MEANT_ABOVE and said is None:
        raise Refused(f"It would be {count} {what}: {how} to say that you mean so many.")
    if count > MEANT_ABOVE and said != count:
        raise Refused(f"You said {said}, and it would be {count} {what}.")


def order_bulk(
    *,
    verb: Verb,
    devices: QuerySet[Device],
    actor: Actor,
    reason: str,
    group: DeviceGroup | None = None,
    seen: str = "",
) -> BulkOrder:
    """The verb is done to all these devices, or on its way: as jobs when they are many. Refused when there are none.

    Refused also when they are not those that somebody saw, whose mark `seen` is.
    """
    actor.require(PERMISSIONS[verb])
    if actor.user is None:
        raise NotPermitted("A bulk order belongs to somebody who logs in.")
    _require_group(verb, group)
    ids = list(devices.order_by("name").values_list("pk", flat=True))
    if not ids:
        raise Refused("No device is left of the selection.")
    if seen:
        require_seen(ids=ids, seen=seen)
    with transaction.atomic():
        order = BulkOrder.objects.create(
            verb=verb, group=group, ids=ids, total=len(ids), reason=reason,
            requested_by=actor.user, requested_by_name=actor.name, created_at=clock.now(),
        )  # fmt: skip
        audit.record(
            actor=actor,
            action=f"devices.{verb}",
            subject=group or order,
            reason=reason,
            data={"devices": len(ids), "order": str(order.pk)},
        )
    if verb == Verb.REFRESH or len(ids) > AT_ONCE:
        start(order)
        return order
    return carry_out_piece(order.pk)


def _require_group(verb: Verb, group: DeviceGroup | None) -> None:
    if group is not None and group.kind != DeviceGroup.Kind.STATIC:
        raise Refused("The members of a dynamic group are what its filter finds.")
    if verb in {Verb.ADD_TO_GROUP, Verb.REMOVE_FROM_GROUP} and group is None:
        raise Refused("Which group?")


def start(order: BulkOrder) -> None:
    """Once the transaction is committed, a worker will take up the next piece."""
    enqueue: Callable[..., None] = import_string(settings.START_JOB)
    enqueue(JOB, argument=str(order.pk), job=job_id(order))


def job_id(order: BulkOrder) -> str:
    """The id of the job for the next piece: twice enqueued it is still one job."""
    return f"bulk-{order.pk}-{order.done}"


def unfinished_orders() -> QuerySet[BulkOrder]:
    """Orders of which something is left to do."""
    return BulkOrder.objects.filter(finished_at=None).order_by("created_at")


def carry_out_piece(pk: UUID | str) -> BulkOrder:
    """The next piece of the order is done, and counted by whoever was first; the rest is started as another job."""
    order = BulkOrder.objects.select_related("group", "requested_by").get(pk=pk)
    if order.finished_at is not None:
        return order
    begun = order.done
    seen, failures = _deal_with(order, order.ids[begun : begun + PIECE])
    done = begun + seen
    is_over = done >= order.total
    with transaction.atomic():
        counted = BulkOrder.objects.filter(pk=order.pk, done=begun, finished_at=None).update(
            done=done,
            failed=F("failed") + len(failures),
            failures=[*order.failures, *failures][:KEPT_FAILURES],
            finished_at=clock.now() if is_over else None,
        )
    order.refresh_from_db()
    if counted and not is_over and not leaving.is_wanted():
        start(order)
    return order


def _deal_with(order: BulkOrder, ids: list[int]) -> tuple[int, list[list[str]]]:
    """How many of `ids` were dealt with, and which of them failed, with the reason."""
    if order.requested_by is None or not order.requested_by.is_active:
        return len(ids), [["", "Whoever asked for it may not log in any more."]] * len(ids)
    try:
        actor = actor_of(order.requested_by)
        actor.require(PERMISSIONS[Verb(order.verb)])
    except NotPermitted as error:
        return len(ids), [["", str(error)]] * len(ids)
    devices = devices_open_to(order.requested_by).filter(pk__in=ids)
    if order.verb in {Verb.ADD_TO_GROUP, Verb.REMOVE_FROM_GROUP}:
        return len(ids), _regroup(order, devices)
    by_id = devices.select_related("credential").in_bulk()
    act = partial(_act, Verb(order.verb), actor=actor, reason=order.reason)
    failures: list[list[str]] = []
    until = time.monotonic() + PIECE_SECONDS
    for seen, pk in enumerate(ids):
        if seen and (time.monotonic() > until or leaving.is_wanted()):
            return seen, failures
        device = by_id.get(pk)
        why = act(device) if device else "It is gone."
        if why:
            failures.append([str(device or pk), why[:300]])
    return len(ids), failures


def _regroup(order: BulkOrder, devices: QuerySet[Device]) -> list[list[str]]:
    if order.group is None:
        return [["", "The group is gone."]]
    if order.verb == Verb.ADD_TO_GROUP:
        order.group.members.add(*devices)
    else:
        order.group.members.remove(*devices)
    return []


def _act(verb: Verb, device: Device, *, actor: Actor, reason: str) -> str:
    """The verb is done to one device; why not, if not."""
    try:
        if verb == Verb.DELETE:
            delete_device(device=device, actor=actor, reason=reason)
            return ""
        return ask_who_it_is(device).unreachable_reason  # the order itself is on record
    except FleetwrightError as error:
        return str(error)
