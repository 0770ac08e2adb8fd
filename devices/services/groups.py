"""Many devices under one name."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction

from devices.models import Device, DeviceGroup
from devices.queries import devices_in
from devices.services.edits import changes_of, require_save
from portal.core import audit
from portal.core.actors import Actor
from portal.core.errors import Refused

FIELDS = ("name", "kind", "description", "filter")


def save_group(*, group: DeviceGroup, actor: Actor) -> DeviceGroup:
    """The group, new or edited, is as given. Refused when its filter makes no sense; a dynamic one lists no members."""
    require_save(group, actor=actor)
    group.full_clean()
    with transaction.atomic():
        action = "group.add" if group._state.adding else "group.change"
        changes = changes_of(group, fields=FIELDS)
        group.save()
        if group.kind == DeviceGroup.Kind.DYNAMIC:
            devices_in(group)
            group.members.clear()
        audit.record(actor=actor, action=action, subject=group, data={"changes": changes})
    return group


def change_members(
    *, group: DeviceGroup, add: Iterable[int], remove: Iterable[int], actor: Actor
) -> DeviceGroup:
    """The devices of `add` are members, those of `remove` are not, by id. Refused when one of `add` does not exist."""
    actor.require("devices.change_devicegroup")
    if group.kind != DeviceGroup.Kind.STATIC:
        raise Refused(
            "The members of a dynamic group are what its filter finds: change the filter."
        )
    coming, going = set(add), set(remove)
    known = set(Device.objects.filter(pk__in=coming).values_list("pk", flat=True))
    if unknown := coming - known:
        raise Refused(f"There is no device {min(unknown)}.")
    with transaction.atomic():
        group.members.remove(*going)
        group.members.add(*coming)
        audit.record(
            actor=actor,
            action="group.change_members",
            subject=group,
            data={"add": sorted(coming), "remove": sorted(going)},
        )
    return group


def delete_group(*, group: DeviceGroup, actor: Actor) -> None:
    """The group is gone; its devices stay."""
    actor.require("devices.delete_devicegroup")
    with transaction.atomic():
        audit.record(actor=actor, action="group.delete", subject=group)
        group.delete()
