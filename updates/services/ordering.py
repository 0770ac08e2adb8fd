"""From a plan to an order: the device is locked and idle, the upgrade is on record, and on its way to a worker."""

from __future__ import annotations

import uuid

from devices.models import Device
from portal.core import audit, clock
from portal.core.actors import Actor
from portal.core.errors import Refused
from updates import dispatch, journal
from updates.errors import TargetBusy
from updates.machine import ACTIVE, State
from updates.models import Upgrade
from updates.plan import Kind, Plan
from updates.services.kinds import orders_of
from updates.services.reasons import given_reason


def locked_idle(device: Device) -> Device:
    """The device as it is now, locked until the commit. TargetBusy, naming it, when an upgrade is active or waits there."""
    device = Device.objects.select_for_update().get(pk=device.pk)
    holder = (
        Upgrade.objects.filter(device=device, state__in=[*ACTIVE, State.PENDING])
        .select_related("device", "instance")
        .order_by("created_at")
        .first()
    )
    if holder is not None:
        raise TargetBusy(
            f"{device} is busy: {holder} is {holder.state.replace('_', ' ')}.",
            holder=str(holder.pk),
        )
    return device


def upgrade_for(plan: Plan, *, kind: Kind, device: Device, actor: Actor, reason: str) -> Upgrade:
    """The upgrade for `plan`, not saved yet. What it is about, and from and to which version, is for the caller to add.

    Refused when the device pulls, and this is nothing that it could: its own client installs artifacts.
    """
    pulls = device.driver == Device.Driver.PULL
    if pulls and kind != Kind.ARTIFACT:
        raise Refused(f"{device} asks for its updates itself, and takes artifacts only.")
    now = clock.now()
    return Upgrade(
        id=uuid.UUID(plan.upgrade),
        kind=kind,
        executor=Upgrade.Executor.DEVICE if pulls else Upgrade.Executor.WORKER,
        device=device,
        plan=plan.as_json(),
        requested_by=actor.user,
        requested_by_name=actor.name,
        reason=given_reason(reason),
        created_at=now,
        state_entered_at=now,
    )


def place(upgrade: Upgrade, *, actor: Actor, action: str) -> Upgrade:
    """The upgrade is ordered: PENDING, audited, and on its way to who carries it out once the transaction is committed."""
    journal.open_upgrades([upgrade])
    orders_of(upgrade).placed(upgrade)
    audit.record(actor=actor, action=action, subject=upgrade, reason=upgrade.reason)
    dispatch.start_upgrades([upgrade])
    return upgrade
