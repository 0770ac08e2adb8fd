"""Rows for tests of the journal: devices, an artifact, and orders made as the services make them."""

from __future__ import annotations

from itertools import count

from devices.models import Device
from portal.core import clock
from portal.core.actors import PORTAL
from updates import lease
from updates.journal import DatabaseJournal, open_upgrades
from updates.machine import HAPPY_PATH, Event, Outcome, State
from updates.models import Artifact, Release, Upgrade, UpgradeEvent
from updates.services.planning import plan_artifact
from updates.services.upgrades import build

_numbers = count(1)


def new_device(name: str = "", **fields: object) -> Device:
    return Device.objects.create(
        **{
            "name": name or f"device-{next(_numbers)}",
            "device_type": "box",
            "driver": Device.Driver.LOCAL,
            "root": "/nowhere",
            "provides": {"artifact_name": "old"},
            **fields,
        }
    )


def new_artifact(name: str = "new", **fields: object) -> Artifact:
    return Artifact.objects.create(
        **{
            "name": name,
            "release": new_release(name),
            "payload_type": "recorder",
            "device_types": ["box"],
            "header_info": "{}",
            "type_info": "{}",
            "provides": {},
            "clears_provides": [],
            "size": 1,
            "unpacked_size": 1,
            "sha256": f"{next(_numbers):064d}",
            "file": "artifacts/nowhere.mender",
            **fields,
        }
    )


def new_release(name: str = "new") -> Release:
    """The release of this name, made if there was none."""
    return Release.objects.get_or_create(name=name, defaults={"created_at": clock.now()})[0]


def new_upgrade(device: Device | None = None, artifact: Artifact | None = None) -> Upgrade:
    """A PENDING upgrade, ordered by the portal itself."""
    device, artifact = device or new_device(), artifact or new_artifact()
    plan = plan_artifact(artifact=artifact, device=device, update_module=None)
    upgrade = build(plan, artifact=artifact, device=device, actor=PORTAL, reason="a test")
    open_upgrades([upgrade])
    return upgrade


def held(
    upgrade: Upgrade, *, worker: str = "worker-1", secrets: tuple[str, ...] = ()
) -> DatabaseJournal:
    """The journal of a worker that has just claimed the upgrade. Its heartbeat does not run."""
    fence = lease.claim(str(upgrade.pk), worker=worker)
    assert fence is not None, "somebody else holds it"
    return DatabaseJournal(str(upgrade.pk), fence=fence, secrets=secrets)


def brought_to(state: State, journal: DatabaseJournal) -> DatabaseJournal:
    """The upgrade is in `state`, on the shortest way there."""
    if state in HAPPY_PATH:
        while journal.state is not state:
            journal.take(Event.DONE)
        return journal
    brought_to(State.INSTALLING, journal).take(Event.FAILED)
    while journal.state is not state:
        journal.take(Event.DONE)
    return journal


def finished(upgrade: Upgrade) -> Upgrade:
    """The upgrade went its whole way and succeeded."""
    brought_to(State.FINISHED, held(upgrade))
    upgrade.refresh_from_db()
    assert upgrade.outcome == Outcome.SUCCEEDED
    return upgrade


def let_lapse(upgrade: Upgrade) -> None:
    """The lease of a worker that has died is over."""
    Upgrade.objects.filter(pk=upgrade.pk).update(lease_until=upgrade.created_at)


def arrows(upgrade: Upgrade) -> list[tuple[str, str, str]]:
    """The arrows that the history holds: from, event, to."""
    rows = upgrade.events.filter(kind=UpgradeEvent.Kind.ARROW).order_by("seq")
    return [(row.from_state, row.event, row.to_state) for row in rows]


def states(upgrade: Upgrade) -> list[str]:
    """The states that the upgrade was in, in order."""
    return [to_state for _, _, to_state in arrows(upgrade)]


def numbers(upgrade: Upgrade) -> list[int]:
    return list(upgrade.events.order_by("seq").values_list("seq", flat=True))
