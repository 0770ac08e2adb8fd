"""Verbs for devices: reach them, learn who they are, trust them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from django.db import transaction
from django.db.models import ProtectedError

from devices.drivers.linked_shell import Booting
from devices.drivers.local import LocalShell
from devices.drivers.shell import Shell
from devices.drivers.ssh import SshAddress, SshShell
from devices.drivers.ssh_login import KeyLogin, PasswordLogin
from devices.errors import (
    DeviceUnreachable,
    HostKeyChanged,
    HostKeyUnknown,
    LoginRefused,
)
from devices.models import Credential, Device, DeviceGroup
from devices.queries import devices_in
from portal.core import audit, clock
from portal.core.actors import Actor
from portal.core.errors import Refused

SHORT_SECONDS = 30.0
PLAYED = Booting(
    reboot_command=("sh", "-c", "echo 'This device is a folder: it cannot be rebooted.'; exit 1")
)
"""A folder that plays a device must not take the portal's own machine down with it."""
USE_LOCAL_DRIVER = "devices.use_local_driver"
"""Whoever may say that a device is the portal's own host can run commands there: a permission of its own."""
INVENTORY = (
    ("hostname", ["uname", "-n"]),
    ("kernel", ["uname", "-r"]),
    ("machine", ["uname", "-m"]),
    ("os", ["sh", "-c", '. /etc/os-release 2>/dev/null; echo "${PRETTY_NAME:-}"']),
)


@contextmanager
def opened(device: Device) -> Iterator[Shell]:
    """A Shell on the device, closed afterwards. What it shows about trust is kept for the operator to see."""
    shell = _shell(device)
    try:
        yield shell
    except (HostKeyUnknown, HostKeyChanged) as error:
        Device.objects.filter(pk=device.pk).update(offered_host_key=error.offered)
        raise
    finally:
        shell.close()


def secrets_of(device: Device) -> tuple[str, ...]:
    """What must never be shown of this device: whole secrets, and each line of a key."""
    credential = device.credential
    if credential is None:
        return ()
    lines = [line for line in credential.secret.splitlines() if not line.startswith("-----")]
    return (credential.secret, *lines, *([credential.passphrase] if credential.passphrase else []))


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


def refresh_device(*, device: Device, actor: Actor) -> Device:
    """The device was asked who it is: attributes and last_seen are new, or the reason why it could not be reached is kept."""
    actor.require("devices.refresh_device")
    try:
        with opened(device) as shell:
            attributes = {
                name: shell.run(command, limit_seconds=SHORT_SECONDS)
                .output.decode(errors="replace")
                .strip()[:200]
                for name, command in INVENTORY
            }
    except DeviceUnreachable as error:
        note_unreachable(device, error)
        device.refresh_from_db()
        return device
    device.attributes = {**device.attributes, **attributes}
    device.last_seen = clock.now()
    device.unreachable_reason = ""
    device.save(update_fields=["attributes", "last_seen", "unreachable_reason"])
    return device


def note_seen(device: Device) -> None:
    """The device answered just now."""
    Device.objects.filter(pk=device.pk).update(last_seen=clock.now(), unreachable_reason="")


def note_unreachable(device: Device, error: DeviceUnreachable) -> None:
    """Why the device could not be reached is shown with it until it answers again."""
    Device.objects.filter(pk=device.pk).update(unreachable_reason=str(error)[:300])


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


EDITABLE = ("name", "device_type", "driver", "host", "port", "credential", "root", "attributes")
"""What a person says about a device. The rest is what the device or its upgrades said, and no edit writes over it."""


def save_device(*, device: Device, actor: Actor) -> Device:
    """The device, new or edited, is as given. Django's ValidationError, by field, when that cannot be.

    The pinned host key stays, whatever the address: another machine there will be refused, until somebody confirms it.
    A device that is, was or becomes the portal's own host needs `devices.use_local_driver` too.
    """
    _require_save(device, actor=actor)
    if Device.Driver.LOCAL in (device.driver, _stored_driver(device)):
        actor.require(USE_LOCAL_DRIVER)
    device.full_clean()
    with transaction.atomic():
        is_new = device._state.adding
        device.save(update_fields=None if is_new else EDITABLE)
        audit.record(
            actor=actor, action="device.add" if is_new else "device.change", subject=device
        )
    return device


def delete_device(*, device: Device, actor: Actor, reason: str) -> None:
    """The device is gone, out of its groups too, and so are its checks. Refused when the history names it."""
    actor.require("devices.delete_device")
    try:
        with transaction.atomic():
            audit.record(actor=actor, action="device.delete", subject=device, reason=reason)
            device.delete()
    except ProtectedError:
        raise Refused(f"{device} is part of the history, so it stays.") from None


def save_credential(*, credential: Credential, actor: Actor) -> Credential:
    """The credential, new or replaced, is what its devices are opened with from now on. Refused: a key nobody can read."""
    _require_save(credential, actor=actor)
    credential.full_clean()
    refuse_unreadable_key(credential)
    with transaction.atomic():
        action = "credential.add" if credential._state.adding else "credential.replace"
        credential.save()
        audit.record(actor=actor, action=action, subject=credential)
    return credential


def refuse_unreadable_key(credential: Credential) -> None:
    """Nothing, or Refused with the reason why the credential's key cannot be read."""
    login = _login(credential)
    if isinstance(login, KeyLogin):
        try:
            login.key()
        except LoginRefused as error:
            raise Refused(str(error)) from None


def save_group(*, group: DeviceGroup, actor: Actor) -> DeviceGroup:
    """The group, new or edited, is as given. Refused when its filter makes no sense; a dynamic one lists no members."""
    _require_save(group, actor=actor)
    group.full_clean()
    with transaction.atomic():
        action = "group.add" if group._state.adding else "group.change"
        group.save()
        if group.kind == DeviceGroup.Kind.DYNAMIC:
            devices_in(group)
            group.members.clear()
        audit.record(actor=actor, action=action, subject=group, data={"filter": group.filter})
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


def _require_save(row: Device | Credential | DeviceGroup, *, actor: Actor) -> None:
    effect = "add" if row._state.adding else "change"
    actor.require(f"devices.{effect}_{row._meta.model_name}")


def _stored_driver(device: Device) -> str | None:
    return Device.objects.filter(pk=device.pk).values_list("driver", flat=True).first()


def _shell(device: Device) -> Shell:
    if device.driver == Device.Driver.LOCAL:
        return LocalShell(booting=Booting() if device.root == "/" else PLAYED)
    if device.credential is None:
        raise LoginRefused(f"{device} has no credential to log in with.")
    return SshShell(
        SshAddress(device.host, device.port, device.credential.username),
        login=_login(device.credential),
        host_key=device.host_key or None,
    )


def _login(credential: Credential) -> KeyLogin | PasswordLogin:
    if credential.kind == Credential.Kind.PASSWORD:
        return PasswordLogin(credential.secret)
    return KeyLogin(credential.secret, passphrase=credential.passphrase or None)
