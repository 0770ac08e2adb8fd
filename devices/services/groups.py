"""Many devices under one name."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from django.db import transaction

from devices.models import Device, DeviceGroup
from devices.queries import devices_in
from portal.core import audit
from portal.core.actors import Actor
from portal.core.edits import changes_of, require_save
from portal.core.errors import Refused

FIELDS = ("name", "kind", "description", "filter", "signed_only")
GUARD = "devices.guard_devicegroup"
MOST_NAMES = 20_000
NAMED = 5


class Change(StrEnum):
    """What named devices mean for a group."""

    ADD = "add"
    REMOVE = "remove"
    EXACTLY = "exactly"


def save_group(*, group: DeviceGroup, actor: Actor) -> DeviceGroup:
    """The group, new or edited, is as given. Refused when its filter makes no sense; a dynamic one lists no members."""
    require_save(group, actor=actor)
    _require_guard(group, actor=actor)
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
    *,
    group: DeviceGroup,
    add: Iterable[int],
    remove: Iterable[int],
    actor: Actor,
    reason: str = "",
) -> DeviceGroup:
    """The devices of `add` are members, those of `remove` are not, by id. Refused when one of `add` does not exist."""
    actor.require("devices.change_devicegroup")
    _require_guard(group, actor=actor)
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
            reason=reason,
            data={"add": sorted(coming), "remove": sorted(going)},
        )
    return group


def name_members(
    *, group: DeviceGroup, names: Iterable[str], change: Change, actor: Actor, reason: str
) -> tuple[int, int]:
    """Devices by name are in the group, out of it, or all that are in it. How many came, how many went.

    Refused as a whole when there is no device of one of the names.
    """
    named = set(names)
    if not named:
        raise Refused("Name at least one device.")
    if len(named) > MOST_NAMES:
        raise Refused(f"More than {MOST_NAMES:,} names at once are too many.")
    ids = {name: device.pk for name, device in _by_name(named).items()}
    if unknown := sorted(named - set(ids)):
        listed = ", ".join(name[:100] for name in unknown[:NAMED])
        more = " and others" if len(unknown) > NAMED else ""
        raise Refused(f"There is no device named {listed}{more}: nothing was changed.")
    present = set(group.members.values_list("pk", flat=True))
    wanted = set(ids.values())
    coming = wanted - present if change != Change.REMOVE else set()
    going = {
        Change.ADD: set(),
        Change.REMOVE: wanted & present,
        Change.EXACTLY: present - wanted,
    }[change]
    change_members(group=group, add=coming, remove=going, actor=actor, reason=reason)
    return len(coming), len(going)


def _by_name(names: set[str]) -> dict[str, Device]:
    return Device.objects.only("name").in_bulk(list(names), field_name="name")


def delete_group(*, group: DeviceGroup, actor: Actor, reason: str = "") -> None:
    """The group is gone; its devices stay."""
    actor.require("devices.delete_devicegroup")
    _require_guard(group, actor=actor)
    with transaction.atomic():
        audit.record(actor=actor, action="group.delete", subject=group, reason=reason)
        group.delete()


def _require_guard(group: DeviceGroup, *, actor: Actor) -> None:
    """A group that takes signed artifacts only, or is to, is not everybody's to change: its devices would slip out."""
    was_guarded = DeviceGroup.objects.filter(pk=group.pk, signed_only=True).exists()
    if group.signed_only or was_guarded:
        actor.require(GUARD)
