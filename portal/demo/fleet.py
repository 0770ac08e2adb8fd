"""The demo's devices: each one is a folder on this machine, reached by the local driver, so that upgrades are real."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from devices.models import Device, DeviceGroup
from devices.services import change_members, refresh_device, save_device, save_group
from portal.core.actors import Actor
from portal.settings.environment import VAR_DIR

FOLDER: Final = VAR_DIR / "demo"
FLEET: Final = {"kiosk": 10, "gateway": 8, "camera": 6}
SITES: Final = ("Hamburg", "Leipzig", "Munich")
FAILS_ON_PURPOSE: Final = "kiosk-04"

STATIC_GROUPS: Final = {
    "Pilot": ["kiosk-01", "kiosk-02", "gateway-01"],
    "Munich": ["kiosk-03", "kiosk-06", "kiosk-09", "gateway-03", "gateway-06", "camera-03"],
}
DYNAMIC_GROUPS: Final = {
    "All kiosks": {"device_type": "kiosk"},
    "All gateways": {"device_type": "gateway"},
    "On camera-7": {"installed": "camera-7"},
}


def make_fleet(actor: Actor) -> None:
    """24 devices of three types, in static and dynamic groups. One of them fails on purpose whenever it installs."""
    for device_type, count in FLEET.items():
        for number in range(1, count + 1):
            _make_device(f"{device_type}-{number:02}", device_type, number, actor)
    fail_in(FAILS_ON_PURPOSE, "ArtifactInstall")
    for name, members in STATIC_GROUPS.items():
        group = save_group(group=DeviceGroup(name=name), actor=actor)
        wanted = Device.objects.filter(name__in=members).values_list("pk", flat=True)
        change_members(group=group, add=wanted, remove=[], actor=actor)
    for name, words in DYNAMIC_GROUPS.items():
        save_group(
            group=DeviceGroup(name=name, kind=DeviceGroup.Kind.DYNAMIC, filter=words), actor=actor
        )


def fail_in(device: str, *states: str) -> None:
    """From now on the device fails in these states of an Update Module; without any: in none."""
    flaw = root_of(device) / "etc" / "demo-fails-in"
    flaw.write_text("".join(f"{state}\n" for state in states))


def root_of(device: str) -> Path:
    return FOLDER / device


def _make_device(name: str, device_type: str, number: int, actor: Actor) -> None:
    (root_of(name) / "etc").mkdir(parents=True, exist_ok=True)
    device = Device(
        name=name,
        device_type=device_type,
        driver=Device.Driver.LOCAL,
        root=str(root_of(name)),
        attributes={"site": SITES[number % len(SITES)], "floor": number % 4},
    )
    save_device(device=device, actor=actor)
    refresh_device(device=device, actor=actor)
