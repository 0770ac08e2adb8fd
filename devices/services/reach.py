"""Reaching a device: a shell on it, what it says of itself, whether it answers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import transaction

from devices.drivers.dial import Dial, dial_straight
from devices.drivers.linked_shell import Booting
from devices.drivers.local import LocalShell
from devices.drivers.shell import Shell
from devices.drivers.ssh import SshAddress, SshLink, SshShell
from devices.drivers.ssh_dial import SshDial
from devices.errors import (
    DeviceUnreachable,
    HostKeyChanged,
    HostKeyUnknown,
    LoginRefused,
    NeverReached,
)
from devices.models import Credential, Device, EngineAccess
from devices.services.credentials import login_of
from portal.core import audit, clock
from portal.core.actors import Actor
from portal.core.errors import Refused

SHORT_SECONDS = 30.0
CONNECT_SECONDS = 10.0
PLAYED = Booting(
    reboot_command=("sh", "-c", "echo 'This device is a folder: it cannot be rebooted.'; exit 1")
)
"""A folder that plays a device must not take the portal's own machine down with it."""
INVENTORY = (
    ("hostname", ["uname", "-n"]),
    ("kernel", ["uname", "-r"]),
    ("machine", ["uname", "-m"]),
    ("os", ["sh", "-c", '. /etc/os-release 2>/dev/null; echo "${PRETTY_NAME:-}"']),
)


@contextmanager
def opened(device: Device) -> Iterator[Shell]:
    """A Shell on the device, closed afterwards. What it shows about trust is kept for the operator to see.

    NeverReached for one that pulls.
    """
    shell = _shell(device)
    try:
        yield shell
    except (HostKeyUnknown, HostKeyChanged) as error:
        Device.objects.filter(pk=device.pk).update(offered_host_key=error.offered)
        raise
    finally:
        shell.close()


@contextmanager
def dialled(device: Device) -> Iterator[Dial]:
    """A way to ports that only the device itself reaches: through its SSH connection, or from here where it is this machine.

    NeverReached for one that pulls.
    """
    if device.driver == Device.Driver.LOCAL:
        yield dial_straight
        return
    dial = SshDial(
        SshAddress(device.host, device.port, _credential(device).username),
        login=login_of(_credential(device)),
        host_key=device.host_key or None,
    )
    try:
        yield dial
    finally:
        dial.close()


def ssh_link(device: Device) -> SshLink:
    """An SSH connection to the device, made when it is first needed. LoginRefused for a device without a credential."""
    credential = _credential(device)
    return SshLink(
        SshAddress(device.host, device.port, credential.username),
        login=login_of(credential),
        host_key=device.host_key or None,
        connect_seconds=CONNECT_SECONDS,
        silence_seconds=SHORT_SECONDS,
    )


def secrets_of(device: Device) -> tuple[str, ...]:
    """What must never be shown of this device: whole secrets, and each line of a key."""
    credential = device.credential
    access = EngineAccess.objects.filter(device=device).first()
    whole = [credential.secret, credential.passphrase] if credential else []
    whole += [access.key] if access else []
    lines = [line for text in whole for line in text.splitlines() if not line.startswith("-----")]
    return tuple(dict.fromkeys(text for text in [*whole, *lines] if text))


def refresh_device(*, device: Device, actor: Actor) -> Device:
    """The device was asked who it is, and that is on record: see `ask_who_it_is`. Refused for one that pulls."""
    actor.require("devices.refresh_device")
    require_way_in(device)
    audit.record(actor=actor, action="device.refresh", subject=device)
    return ask_who_it_is(device)


def ask_who_it_is(device: Device) -> Device:
    """Attributes and last_seen are new, or the reason why it could not be reached is kept. Refused for one that pulls."""
    require_way_in(device)
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
    with transaction.atomic():
        # Asking takes its time: what somebody else wrote meanwhile is not to be undone.
        kept = Device.objects.select_for_update().only("attributes").get(pk=device.pk)
        Device.objects.filter(pk=device.pk).update(
            attributes={**kept.attributes, **attributes},
            last_seen=clock.now(),
            unreachable_reason="",
        )
    device.refresh_from_db()
    return device


def require_way_in(device: Device) -> None:
    """Nothing, or Refused for a device that pulls: whatever has to connect to it has no way."""
    if why := why_no_way_in(device):
        raise Refused(why)


def why_no_way_in(device: Device) -> str:
    """Why nothing connects to the device, in a sentence; empty if something may."""
    if device.driver != Device.Driver.PULL:
        return ""
    return f"{device} pulls by itself: it asks the portal, and nothing connects to it."


def note_seen(device: Device) -> None:
    """The device answered just now."""
    Device.objects.filter(pk=device.pk).update(last_seen=clock.now(), unreachable_reason="")


def note_unreachable(device: Device, error: DeviceUnreachable) -> None:
    """Why the device could not be reached is shown with it until it answers again; that nobody ever reaches it is no news."""
    if isinstance(error, NeverReached):
        return
    Device.objects.filter(pk=device.pk).update(unreachable_reason=str(error)[:300])


def _shell(device: Device) -> Shell:
    if device.driver == Device.Driver.LOCAL:
        return LocalShell(booting=Booting() if device.root == "/" else PLAYED)
    return SshShell(
        SshAddress(device.host, device.port, _credential(device).username),
        login=login_of(_credential(device)),
        host_key=device.host_key or None,
    )


def _credential(device: Device) -> Credential:
    if why := why_no_way_in(device):
        raise NeverReached(why)
    if device.credential is None:
        raise LoginRefused(f"{device} has no credential to log in with.")
    return device.credential
