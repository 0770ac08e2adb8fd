"""Orders that instances get a module image: preview, order, reinstall, cancel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from django.db import transaction

from devices.models import Device
from devices.services.bulk import MEANT_ABOVE, require_meant
from portal.core import audit, clock
from portal.core.actors import PORTAL, Actor
from portal.core.errors import Refused
from updates import dispatch, journal
from updates.errors import TargetBusy
from updates.models import Instance, ModuleOrder
from updates.plan import ModuleVerb
from updates.services.module_choice import Choice, Wanted, choose_instances
from updates.services.module_orders import build_module_upgrade, plan_module
from updates.services.order_cancels import cancel_order
from updates.services.reasons import given_reason

ORDER = "updates.order_module"
OVERRIDE = "updates.override_module"


def preview_module(wanted: Wanted) -> Choice:
    """Who would get it, who would not and why. No effect. Refused when the image's name is none."""
    return choose_instances(wanted)


def require_instances_meant(wanted: Wanted, *, said: int | None, how: str) -> None:
    """Nothing, or Refused: many instances would get it, and `said` is not their number. `how` is where to say it."""
    if len(wanted.instances) > MEANT_ABOVE:
        count = len(choose_instances(wanted).takes)
        require_meant(count=count, said=said, how=how, what="instances")


def order_module(wanted: Wanted, *, actor: Actor, reason: str) -> ModuleOrder:
    """Every instance that may have the image has an upgrade of its own; who may not stands in `left_out` with the reason.

    An upgrade of something else on a device only means that this one waits. TargetBusy when the only instance has an upgrade of
    its own that is not over; Refused when nobody is left.
    """
    actor.require(ORDER)
    if wanted.overrides:
        actor.require(OVERRIDE)
    with transaction.atomic():
        wanted = replace(wanted, instances=_locked(wanted.instances))
        choice = choose_instances(wanted)
        _refuse_empty(wanted, choice)
        _refuse_unmeant(choice, actor=actor)
        order = ModuleOrder(
            verb=ModuleVerb.UPDATE, image=wanted.image.strip(), force=wanted.force,
            canary=wanted.canary and len(choice.takes) > 1, stops_at_failure=wanted.stops_at_failure,
            left_out=[[instance.name, why] for instance, why in choice.left_out],
            reason=given_reason(reason), requested_by=actor.user, requested_by_name=actor.name,
            created_at=clock.now(),
        )  # fmt: skip
        order.save(force_insert=True)
        _open(order, choice.takes, wanted, actor=actor)
        audit.record(
            actor=actor, action="module.update", subject=order, reason=order.reason,
            data={
                "instances": [instance.name for instance in choice.takes][:50],
                "left_out": len(choice.left_out), "overrides": wanted.overrides,
            } | ({"notes": choice.notes} if choice.notes else {}),
        )  # fmt: skip
    return order


def reinstall(*, instance: Instance, actor: Actor, reason: str) -> ModuleOrder:
    """The version that is installed is being installed once more: pulled again, its scripts run again."""
    made = getattr(instance, "installation", None)
    wanted = Wanted(image=made.image if made else "", instances=[instance], force=True)
    if not wanted.image:
        raise Refused(f"{instance} is not installed from a module image.")
    return order_module(wanted, actor=actor, reason=reason)


def cancel_module_order(*, order: ModuleOrder, actor: Actor, reason: str) -> int:
    """A cancel is on its way to every upgrade of the order that can still be cancelled: how many."""
    return cancel_order(order, actor=actor, reason=reason)


def _locked(instances: Sequence[Instance]) -> list[Instance]:
    """The instances as they are now. Two orders for one of them come one after the other, until the commit."""
    devices = sorted({instance.device_id for instance in instances})
    list(Device.objects.select_for_update().filter(pk__in=devices).order_by("pk"))
    rows = Instance.objects.select_related("module", "device", "installation")
    now = rows.in_bulk([instance.pk for instance in instances])
    return [now[instance.pk] for instance in instances]


def _refuse_empty(wanted: Wanted, choice: Choice) -> None:
    if choice.takes:
        return
    if not wanted.instances:
        raise Refused("No instance is chosen.")
    instance, why = choice.left_out[0]
    if len(wanted.instances) > 1:
        raise Refused(f"None of the chosen instances can get it; {instance}, for one: {why}")
    if choice.busy is not None:
        raise TargetBusy(f"{instance}: {why}", holder=str(choice.busy.pk))
    raise Refused(f"{instance}: {why}")


def _refuse_unmeant(choice: Choice, *, actor: Actor) -> None:
    """What is held back gets it when a person names it; the portal by itself never means it."""
    if actor == PORTAL and choice.notes:
        raise Refused(next(iter(choice.notes.values())))


def _open(order: ModuleOrder, takes: list[Instance], wanted: Wanted, *, actor: Actor) -> None:
    upgrades = []
    for instance in takes:
        plan = plan_module(
            instance, verb=ModuleVerb.UPDATE, image=order.image, force=wanted.force,
            overrides=wanted.overrides,
        )  # fmt: skip
        upgrade = build_module_upgrade(plan, instance=instance, actor=actor, reason=order.reason)
        upgrade.module_order = order
        upgrades.append(upgrade)
    journal.open_upgrades(upgrades)
    dispatch.start_upgrades(upgrades)
