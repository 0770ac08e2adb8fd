"""Which devices there are, and which of them are trusted."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import ProtectedError

from devices.models import Device
from portal.core import audit
from portal.core.actors import Actor
from portal.core.edits import changes_of, require_save
from portal.core.errors import Refused

USE_LOCAL_DRIVER = "devices.use_local_driver"
"""Whoever may say that a device is the portal's own host can run commands there: a permission of its own."""
EDITABLE = ("name", "device_type", "driver", "host", "port", "credential", "root", "attributes")
"""What a person says about a device. The rest is what the device or its upgrades said, and no edit writes over it."""


def confirm_host_key(*, device: Device, key: str, actor: Actor) -> Device:
    """The key that the device showed is pinned. Refused when the device has shown another one meanwhile."""
    actor.require("devices.confirm_host_key")
    with transaction.atomic():
        current = Device.objects.select_for_update().get(pk=device.pk)
        if not key or current.offered_host_key != key:
            raise Refused("The device shows another key by now: look at it again.")
        current.host_key, current.offered_host_key = key, ""
        current.unreachable_reason = ""
        current.save(update_fields=["host_key", "offered_host_key", "unreachable_reason"])
        audit.record(
            actor=actor, action="device.confirm_host_key", subject=current, data={"key": key}
        )
    return current


def register_localhost(*, root: str, device_type: str, actor: Actor) -> Device:
    """The machine that the portal runs on is a device named `localhost`; nothing changes if it was before."""
    device, is_new = Device.objects.get_or_create(
        name="localhost",
        defaults={
            "driver": Device.Driver.LOCAL,
            "device_type": device_type,
            "root": root,
        },
    )
    if is_new:
        audit.record(actor=actor, action="device.register", subject=device)
    return device


def save_device(*, device: Device, actor: Actor) -> Device:
    """The device, new or edited, is as given. Django's ValidationError, by field, when that cannot be.

    The pinned host key stays, whatever the address: another machine there will be refused, until somebody confirms it.
    A device that is, was or becomes the portal's own host needs `devices.use_local_driver` too. That a device pulls is not said
    here: it does once it has asked by itself and was accepted.
    """
    require_save(device, actor=actor)
    before = _stored_driver(device)
    if Device.Driver.LOCAL in (device.driver, before):
        actor.require(USE_LOCAL_DRIVER)
    if why := why_not_driven(device, before=before):
        raise ValidationError({"driver": why})
    device.full_clean()
    with transaction.atomic():
        is_new = device._state.adding
        changes = changes_of(device, fields=EDITABLE)
        device.save(update_fields=None if is_new else EDITABLE)
        audit.record(
            actor=actor,
            action="device.add" if is_new else "device.change",
            subject=device,
            data={"changes": changes},
        )
    return device


def why_not_driven(device: Device, *, before: str | None) -> str:
    """Why nobody can say that the device has this driver, when it had `before` (None: it is new); empty if they can."""
    pull = Device.Driver.PULL
    if before == pull != device.driver:
        return (
            f"{device} pulls by itself, and keeps doing so: add the other as a device of its own."
        )
    if device.driver == pull != before:
        return "A device pulls once its own client has asked to be let in, and was accepted."
    return ""


def delete_device(*, device: Device, actor: Actor, reason: str) -> None:
    """The device is gone, out of its groups too, and so are its checks. Refused when the history names it.

    The portal's own host needs `devices.use_local_driver` too.
    """
    actor.require("devices.delete_device")
    if _stored_driver(device) == Device.Driver.LOCAL:
        actor.require(USE_LOCAL_DRIVER)
    try:
        with transaction.atomic():
            audit.record(actor=actor, action="device.delete", subject=device, reason=reason)
            device.delete()
    except ProtectedError:
        if device.driver == Device.Driver.PULL:
            raise Refused(
                f"{device} pulls by itself, and would ask again: decommission it. Its history stays."
            ) from None
        raise Refused(f"{device} is part of the history, so it stays.") from None


def _stored_driver(device: Device) -> str | None:
    return Device.objects.filter(pk=device.pk).values_list("driver", flat=True).first()
