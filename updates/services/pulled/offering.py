"""What a device that asks for its next update is offered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from devices.models import Device
from devices.queries import signed_only_groups
from updates import journal
from updates.errors import NotCompatible, TargetBusy
from updates.machine import ACTIVE, BEFORE_ANY_CHANGE, Event, State
from updates.models import Artifact, Upgrade
from updates.reported import Leg, legs_at_poll, to_its_end
from updates.runner import Failure
from updates.services.choosing import choose
from updates.services.installed import PROVIDES_BEFORE
from updates.services.order_cancels import called_off_by
from updates.services.pulled.link import keep_place_for
from updates.services.pulled.reporting import ABORTED, HOLDS
from updates.turns import ahead

AT_ONE_POLL: Final = 5
"""So many upgrades may be found to need nothing more of the device, until one is offered or the next poll goes on."""
CANNOT_HOLD: Final = "It was to wait before its commit, and the device's Mender client cannot: order it without waiting."


@dataclass(frozen=True, slots=True)
class Offer:
    """An upgrade that the device is to carry out now. One that `holds` stops before its commit, by an update control map."""

    upgrade: Upgrade
    artifact: Artifact
    holds: bool


def next_offer(*, device: Device, takes_control_map: bool) -> Offer | None:
    """The device's next upgrade, with the device as it says now that it is: CHECKING until it reports more. None: nothing to do.

    What it was busy with before is over, as what it has installed tells: a device that asks has nothing in hand. What does not
    fit it any more has failed, and what it has already has succeeded, each without a word to the device. PortalBusy or
    StorageUnavailable while the portal could not send it the file.
    """
    for _ in range(AT_ONE_POLL):
        upgrade_id = _turn_of(device)
        if upgrade_id is None:
            return None
        try:
            with transaction.atomic():
                offer = _offered(upgrade_id, device, takes_control_map=takes_control_map)
        except TargetBusy:
            return None
        if offer is not None:
            return offer
    return None


def _turn_of(device: Device) -> UUID | None:
    """What the device has in hand; else what waits for it, if its turn has come."""
    unfinished = Upgrade.objects.filter(device=device).exclude(state=State.FINISHED)
    some = list(unfinished.order_by().values_list("pk", "executor")[:2])
    mine = [pk for pk, executor in some if executor == Upgrade.Executor.DEVICE]
    if len(some) < 2:
        return next(iter(mine), None)  # most have none or one, and that has nothing ahead of it
    due = unfinished.filter(executor=Upgrade.Executor.DEVICE).alias(ahead=ahead())
    due = due.filter(Q(state__in=ACTIVE) | Q(ahead=None))
    return due.order_by("created_at", "id").values_list("pk", flat=True).first()


def _offered(upgrade_id: UUID, device: Device, *, takes_control_map: bool) -> Offer | None:
    rows = Upgrade.objects.select_for_update(of=("self",)).select_related("artifact", "deployment")
    row = rows.defer("deployment__left_out", "deployment__selection").get(pk=upgrade_id)
    row.device = device
    if row.state == State.FINISHED or row.artifact is None:
        return None
    state, holds = State(row.state), bool(row.plan["holds"])
    if state is State.PENDING and (by := called_off_by(row)):
        journal.request_cancel(str(row.pk), by=by)
        return None
    legs = _settled(row, device) if state in ACTIVE else ()
    if not legs and state in BEFORE_ANY_CHANGE:
        legs = _refused(row, device, can_hold=takes_control_map or not holds)
    if legs:
        is_cancelled = any(leg.event is Event.CANCEL for leg in legs)
        journal.walk(row, legs, facts=row.facts | ({ABORTED: True} if is_cancelled else {}))
        return None
    if state not in BEFORE_ANY_CHANGE:
        return None
    keep_place_for(row, row.artifact)
    if state is State.PENDING or row.from_version != device.artifact_name:
        before = {PROVIDES_BEFORE: device.provides, **({HOLDS: True} if holds else {})}
        starts = (Leg(Event.DONE),) if state is State.PENDING else ()
        journal.walk(row, starts, facts=row.facts | before, from_version=device.artifact_name)
    return Offer(row, row.artifact, holds)


def _settled(row: Upgrade, device: Device) -> tuple[Leg, ...]:
    """How one that it was offered before has ended. Nothing when the device has not begun with it, and is to."""
    state = State(row.state)
    before, wanted = row.from_version, row.to_version
    legs = legs_at_poll(state, device.artifact_name, before=before, wanted=wanted)
    if not legs and row.cancel_requested_at is not None and state in BEFORE_ANY_CHANGE:
        legs = to_its_end(state, [Leg(Event.CANCEL)])
    return legs


def _refused(row: Upgrade, device: Device, *, can_hold: bool) -> tuple[Leg, ...]:
    """How it ends without the device: because it has it, or does not fit. Nothing when it is to be offered."""
    state = State(row.state)
    starts = [Leg(Event.DONE)] if state is State.PENDING else []
    signed_only = signed_only_groups(devices=[device.pk]).get(device.pk, "")
    choice = choose([row.artifact] if row.artifact else [], device, signed_only=signed_only)
    why_not = choice.why_not or ("" if can_hold else CANNOT_HOLD)
    if why_not:
        failure = Failure(code=NotCompatible.code, sentence=why_not)
        return to_its_end(state, [*starts, Leg(Event.FAILED, failure)])
    if choice.is_there and not row.plan["force"] and state in (State.PENDING, State.CHECKING):
        return to_its_end(state, [*starts, Leg(Event.ALREADY_THERE)])
    return ()
