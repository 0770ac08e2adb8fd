"""What happened to the demo fleet in eight weeks: the orders that people gave. What came of them is not written here."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from devices.models import Device, DeviceGroup
from devices.queries import devices_in
from portal.demo.fleet import fail_in, make_fleet
from portal.demo.library import artifact, upload_modules
from portal.demo.people import make_people, person
from updates.jobs import run_artifact
from updates.models import Deployment, Upgrade
from updates.services.deployments import cancel_deployment, deploy_artifact
from updates.services.upgrades import apply_artifact, retry_upgrade, roll_back_upgrade


@dataclass(frozen=True, slots=True)
class Chapter:
    """Happened `days_ago` days ago, at `hour` o'clock UTC."""

    name: str
    days_ago: int
    hour: int
    tell: Callable[[], None]


def carry_out(upgrades: Iterable[Upgrade]) -> None:
    """As a worker would: the same job, in this process, on the device's real folder."""
    for upgrade in upgrades:
        run_artifact(str(upgrade.pk))


def _deploy(
    name: str, wanted: str | Iterable[str], *, by: str, reason: str, title: str = ""
) -> Deployment:
    """A deployment to the devices of a type, or to named ones; nothing of it has begun."""
    actor = person(by)
    chosen = {"device_type": wanted} if isinstance(wanted, str) else {"name__in": list(wanted)}
    return deploy_artifact(
        artifact=artifact(name, by=actor),
        devices=Device.objects.filter(**chosen),
        actor=actor,
        reason=reason,
        name=title,
    )


def _deploy_and_watch(
    name: str, wanted: str | Iterable[str], *, by: str, reason: str, title: str = ""
) -> None:
    deployment = _deploy(name, wanted, by=by, reason=reason, title=title)
    carry_out(deployment.upgrades.order_by("created_at", "device__name"))


def _apply(name: str, device: str, *, by: str, reason: str) -> None:
    actor = person(by)
    order = apply_artifact(
        device=Device.objects.get(name=device),
        artifact=artifact(name, by=actor),
        actor=actor,
        reason=reason,
    )
    carry_out([order])


def _newest(device: str) -> Upgrade:
    return Upgrade.objects.filter(device__name=device).order_by("-created_at")[0]


def fleet_arrives() -> None:
    make_people()
    make_fleet(person("maria"))
    upload_modules(person("maria"))


def first_kiosks() -> None:
    _deploy_and_watch(
        "kiosk-app-1.0",
        "kiosk",
        by="maria",
        reason="The first release, for all kiosks",
        title="Launch",
    )


def first_gateways() -> None:
    _deploy_and_watch(
        "gateway-2.3",
        ["gateway-01", *(f"gateway-{n:02}" for n in range(4, 9))],
        by="jonas",
        reason="Basis for the new routes",
    )


def full_disk() -> None:
    fail_in("gateway-02", "Download")
    _deploy_and_watch(
        "gateway-2.3",
        ["gateway-02", "gateway-03"],
        by="jonas",
        reason="The two that were delivered late",
    )
    fail_in("gateway-02")


def retried() -> None:
    again = retry_upgrade(
        upgrade=_newest("gateway-02"), actor=person("jonas"), reason="Its disk was cleared"
    )
    carry_out([again])


def cameras() -> None:
    _deploy_and_watch(
        "camera-7", "camera", by="maria", reason="Auto exposure, asked for by the shops"
    )


def already_there() -> None:
    _apply("camera-7", "camera-03", by="jonas", reason="The shop says that nothing has changed")


def kiosk_pilot() -> None:
    _deploy_and_watch(
        "kiosk-app-1.1",
        devices_in_group("Pilot"),
        by="maria",
        reason="Pilot of 1.1 before everybody gets it",
        title="1.1 pilot",
    )


def kiosk_rest() -> None:
    _deploy_and_watch(
        "kiosk-app-1.1", "kiosk", by="maria", reason="The pilot went well", title="1.1 for all"
    )


def too_early() -> None:
    deployment = _deploy("gateway-2.4", "gateway", by="jonas", reason="New routes")
    cancel_deployment(
        deployment=deployment, actor=person("maria"), reason="Not on the last day of the month"
    )


def gateways() -> None:
    _deploy_and_watch("gateway-2.4", "gateway", by="jonas", reason="New routes, now on a quiet day")


def broken_camera() -> None:
    fail_in("camera-04", "ArtifactInstall", "ArtifactRollback")
    _deploy_and_watch(
        "camera-8",
        ["camera-02", "camera-03", "camera-04"],
        by="maria",
        reason="Night exposure, first three",
    )


def went_back() -> None:
    undo = roll_back_upgrade(
        upgrade=_newest("camera-03"), actor=person("maria"), reason="Too dark at noon"
    )
    carry_out([undo])


def opening_hours() -> None:
    fail_in("gateway-02", "ArtifactInstall")
    _deploy_and_watch(
        "opening-hours-2026",
        ["kiosk-01", "kiosk-02", "kiosk-03", "gateway-01", "gateway-02", "camera-01"],
        by="jonas",
        reason="New opening hours from Monday",
    )
    fail_in("gateway-02")


def second_kiosks() -> None:
    _deploy_and_watch(
        "kiosk-app-2.0",
        ["kiosk-02", "kiosk-03", "kiosk-04"],
        by="maria",
        reason="The new look, first shops",
    )


def devices_in_group(name: str) -> list[str]:
    """The names of the group's devices now."""
    return list(devices_in(DeviceGroup.objects.get(name=name)).values_list("name", flat=True))


CHAPTERS: Final = (
    Chapter("the fleet arrives", 57, 8, fleet_arrives),
    Chapter("the first release", 56, 9, first_kiosks),
    Chapter("gateways", 52, 10, first_gateways),
    Chapter("a full disk", 50, 13, full_disk),
    Chapter("tried again", 49, 9, retried),
    Chapter("cameras", 43, 7, cameras),
    Chapter("already there", 41, 15, already_there),
    Chapter("a pilot", 34, 9, kiosk_pilot),
    Chapter("everybody", 31, 6, kiosk_rest),
    Chapter("too early", 21, 16, too_early),
    Chapter("a quiet day", 17, 5, gateways),
    Chapter("a broken camera", 12, 11, broken_camera),
    Chapter("back again", 11, 12, went_back),
    Chapter("opening hours", 6, 8, opening_hours),
    Chapter("the new look", 2, 10, second_kiosks),
)
