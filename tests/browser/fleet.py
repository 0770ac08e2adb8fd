"""A small fleet on this machine: one upgrade of each outcome, each one carried out for real, and one that is stuck."""

from __future__ import annotations

from pathlib import Path

from devices.models import Device, DeviceGroup
from portal.core.actors import PORTAL
from portal.demo.library import artifact, upload_modules
from tests.journal.rows import brought_to, held, let_lapse
from updates.jobs import run_artifact
from updates.machine import State
from updates.models import Artifact, Upgrade
from updates.services.checks import request_checks
from updates.services.deployments import deploy_artifact
from updates.services.upgrades import apply_artifact, cancel_upgrade

OLD, NEW = "kiosk-app-1.0", "kiosk-app-1.1"


class Fleet:
    """Devices of the type `kiosk`, whose folders are below `folder`, and the demo's two Update Modules."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        upload_modules(PORTAL)

    def artifact(self, name: str = OLD) -> Artifact:
        return artifact(name, by=PORTAL)

    def device(self, name: str = "kiosk-01", *, fails_in: str = "") -> Device:
        """A device that fails in these states of its Update Module; made the first time that it is asked for."""
        root = self._folder / name
        (root / "etc").mkdir(parents=True, exist_ok=True)
        (root / "etc" / "demo-fails-in").write_text("".join(f"{w}\n" for w in fails_in.split()))
        return Device.objects.get_or_create(
            name=name,
            defaults={"device_type": "kiosk", "driver": "local", "root": str(root)},
        )[0]

    def devices(self, count: int) -> list[Device]:
        return [self.device(f"kiosk-{number:02}") for number in range(1, count + 1)]

    def ordered(self, device: Device, name: str = OLD, *, reason: str = "Asked for") -> Upgrade:
        """It waits for a worker."""
        return apply_artifact(
            device=device, artifact=self.artifact(name), actor=PORTAL, reason=reason
        )

    def carried_out(self, device: Device, name: str = OLD, *, reason: str = "Asked for") -> Upgrade:
        """It is over, whatever came of it."""
        upgrade = self.ordered(device, name, reason=reason)
        run_artifact(str(upgrade.pk))
        upgrade.refresh_from_db()
        assert upgrade.outcome
        return upgrade

    def left_by_its_worker(self, device: Device, name: str = OLD) -> Upgrade:
        """It is being checked, and the worker that held it is no more."""
        upgrade = self.ordered(device, name, reason="Its worker dies")
        brought_to(State.CHECKING, held(upgrade, worker="worker-that-died"))
        let_lapse(upgrade)
        upgrade.refresh_from_db()
        return upgrade

    def with_everything(self) -> dict[str, Upgrade]:
        """Each outcome, what waits, what is stuck, a deployment, checks and groups: upgrades by what they are."""
        cancelled = self.ordered(self.device("kiosk-05"), NEW, reason="Too early")
        cancel_upgrade(upgrade=cancelled, actor=PORTAL, reason="Not at noon")
        self.device("kiosk-02", fails_in="ArtifactInstall")
        self.device("kiosk-03", fails_in="ArtifactInstall ArtifactRollback")
        self.device("kiosk-04", fails_in="Download")
        upgrades = {
            "succeeded": self.carried_out(self.device("kiosk-01")),
            "unchanged": self.carried_out(self.device("kiosk-01"), reason="To be sure"),
            "rolled_back": self._failed("kiosk-02"),
            "broken": self._failed("kiosk-03"),
            "failed": self._failed("kiosk-04"),
            "cancelled": cancelled,
            "stuck": self.left_by_its_worker(self.device("kiosk-06")),
        }
        everybody = Device.objects.filter(device_type="kiosk")
        artifact = self.artifact(NEW)
        deploy_artifact(artifact=artifact, devices=everybody, actor=PORTAL, reason="Night exposure")
        request_checks(artifact=artifact, devices=everybody, actor=PORTAL)
        group = DeviceGroup.objects.create(name="Pilot")
        group.members.set(everybody[:2])
        DeviceGroup.objects.create(
            name="Kiosks", kind=DeviceGroup.Kind.DYNAMIC, filter={"device_type": "kiosk"}
        )
        return upgrades | {"waiting": Upgrade.objects.filter(state=State.PENDING)[0]}

    def _failed(self, name: str) -> Upgrade:
        upgrade = self.ordered(Device.objects.get(name=name), NEW, reason="Night exposure")
        run_artifact(str(upgrade.pk))
        upgrade.refresh_from_db()
        return upgrade
