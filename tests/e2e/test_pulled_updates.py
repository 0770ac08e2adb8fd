"""The real Mender client 3.4, on a device with systemd, is updated by a portal that really runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

import pytest
from django.core.files.base import ContentFile

from devices.models import AuthSet, Credential, Device
from devices.services.enrolment import accept
from portal.core.actors import PORTAL
from tests.e2e.conftest import DEVICE_TYPE, StartPortal
from tests.e2e.portal_for_devices import Portal
from tests.environment.cutting_proxy import CuttingProxy
from tests.environment.device_container import DeviceContainer
from tests.environment.mender_device import TESTER, TESTER_SCRIPT, MenderDevice
from tests.environment.waiting import wait_until
from updates.machine import HAPPY_PATH, Outcome, State
from updates.models import Artifact, Upgrade
from updates.services.artifacts import upload_update_module
from updates.services.deployments import deploy_artifact
from updates.services.upgrades import apply_artifact, cancel_upgrade, commit_upgrade

PATIENCE_SECONDS = 240
LARGE = 6 * 2**20
SUCCEEDS = ["Download", "ArtifactInstall", "ArtifactCommit", "Cleanup"]
GOES_BACK = ["Download", "ArtifactInstall", "ArtifactRollback", "ArtifactFailure", "Cleanup"]

Uploaded = Callable[..., Artifact]


@dataclass
class Puller:
    """A device that was let in, as itself and as the portal knows it."""

    client: MenderDevice
    row: Device

    def apply(self, artifact: Artifact, **words: bool) -> Upgrade:
        return apply_artifact(
            device=self.row, artifact=artifact, actor=PORTAL, reason="tried out", **words
        )

    def waits_until(self, upgrade: Upgrade, is_so: Callable[[Upgrade], bool], what: str) -> None:
        """`is_so` of the upgrade, as it is stored by then."""

        def look() -> bool:
            upgrade.refresh_from_db()
            return is_so(upgrade)

        try:
            wait_until(look, seconds=PATIENCE_SECONDS, what=what)
        except Exception:
            print(self.client.log())  # noqa: T201 - what a test that fails has to show
            raise

    def installs(self, artifact: Artifact) -> Upgrade:
        """An upgrade whose module is in the middle of ArtifactInstall, and stays there until it is told to go on."""
        self.client.waits_in("ArtifactInstall")
        upgrade = self.apply(artifact)

        def is_there(row: Upgrade) -> bool:
            return row.state == State.INSTALLING and "ArtifactInstall" in self.client.calls()

        self.waits_until(upgrade, is_there, "the installation")
        return upgrade

    def ends(self, upgrade: Upgrade) -> Upgrade:
        self.waits_until(upgrade, lambda row: row.state == State.FINISHED, "the end")
        return upgrade


def _path(upgrade: Upgrade) -> list[str]:
    arrows = upgrade.events.filter(kind="arrow").order_by("seq")
    return list(arrows.values_list("to_state", flat=True))


LetIn = Callable[[str], Puller]


@pytest.fixture
def let_in(container: DeviceContainer) -> LetIn:
    """Has the client ask the portal at an address, and accepts it."""

    def enrol(server: str) -> Puller:
        client = MenderDevice(container, server=server)
        client.start_client()
        asks = AuthSet.objects.filter(status=AuthSet.Status.PENDING)
        auth_set = wait_until(asks.first, seconds=PATIENCE_SECONDS, what="the device's question")
        assert auth_set is not None
        return Puller(client, accept(auth_set=auth_set, actor=PORTAL))

    return enrol


@pytest.fixture
def puller(portal: Portal, let_in: LetIn) -> Puller:
    """A device that has reported what it is."""
    device = let_in(portal.url)
    _knows_its_type(device)
    return device


def _knows_its_type(device: Puller) -> None:
    def look() -> bool:
        device.row.refresh_from_db()
        return device.row.device_type == DEVICE_TYPE

    wait_until(look, seconds=PATIENCE_SECONDS, what="its inventory")


@pytest.fixture
def tester(uploaded: Uploaded) -> Callable[..., Artifact]:
    """An artifact for the module that does as it is told."""

    def upload(name: str = "tested-1", size: int = 0) -> Artifact:
        # Nothing that packs well: what is sent is to be as long as that.
        files = {"content": Random(name).randbytes(size).hex() or "content"}  # noqa: S311
        return uploaded(name, files, payload_type=TESTER, device_type=DEVICE_TYPE)

    return upload


def test_a_single_file_is_installed(puller: Puller, uploaded: Uploaded) -> None:
    files = {
        "dest_dir": "/data",
        "filename": "hello.txt",
        "permissions": "644",
        "hello.txt": "hello",
    }
    artifact = uploaded("hello-1", files, payload_type="single-file", device_type=DEVICE_TYPE)
    upgrade = puller.ends(puller.apply(artifact))
    assert (upgrade.outcome, upgrade.error) == (Outcome.SUCCEEDED, "")
    assert _path(upgrade) == [state.value for state in HAPPY_PATH]
    assert puller.client.container.exec("cat", "/data/hello.txt") == "hello"
    puller.row.refresh_from_db()
    assert puller.row.artifact_name == "hello-1"
    again = puller.ends(puller.apply(artifact))
    assert (again.outcome, again.unchanged) == (Outcome.SUCCEEDED, True)


def test_what_fails_to_install_goes_back_and_sends_its_log(
    puller: Puller, tester: Callable[..., Artifact]
) -> None:
    puller.client.fails_in("ArtifactInstall")
    upgrade = puller.ends(puller.apply(tester()))
    assert upgrade.outcome == Outcome.ROLLED_BACK
    assert upgrade.error == "The device reported a failure while installing."
    assert puller.client.calls() == GOES_BACK
    log = "".join(
        upgrade.events.filter(kind="output", call="device log")
        .order_by("seq")
        .values_list("text", flat=True)
    )
    assert "ArtifactInstall fails on purpose" in log
    puller.row.refresh_from_db()
    assert puller.row.artifact_name == "original"


def test_one_with_a_reboot_succeeds_after_it(
    puller: Puller, tester: Callable[..., Artifact]
) -> None:
    puller.client.write("/data/reboots", "")
    boot = puller.client.container.boot_id()
    upgrade = puller.ends(puller.apply(tester()))
    assert upgrade.outcome == Outcome.SUCCEEDED
    assert puller.client.container.boot_id() != boot
    restarted = upgrade.events.get(kind="arrow", from_state=State.RESTARTING)
    assert restarted.event == "done"
    assert "ArtifactVerifyReboot" in puller.client.calls()


def test_a_cancel_in_the_middle_takes_it_back(
    puller: Puller, tester: Callable[..., Artifact]
) -> None:
    upgrade = puller.installs(tester())
    cancel_upgrade(upgrade=upgrade, actor=PORTAL, reason="not this one")
    puller.client.go_on("ArtifactInstall")
    assert puller.ends(upgrade).outcome == Outcome.ROLLED_BACK
    assert puller.client.calls() == GOES_BACK
    puller.row.refresh_from_db()
    assert puller.row.artifact_name == "original"


def test_the_portal_may_be_killed_and_started_again_in_the_middle(
    portal: Portal, puller: Puller, tester: Callable[..., Artifact]
) -> None:
    upgrade = puller.installs(tester())
    portal.restart()
    puller.client.go_on("ArtifactInstall")
    assert puller.ends(upgrade).outcome == Outcome.SUCCEEDED
    assert puller.client.calls() == SUCCEEDS


def test_a_device_that_loses_its_power_while_it_installs_goes_back(
    puller: Puller, tester: Callable[..., Artifact]
) -> None:
    upgrade = puller.installs(tester())
    puller.client.container.kill()
    puller.client.container.start()
    assert puller.ends(upgrade).outcome == Outcome.ROLLED_BACK
    assert puller.client.calls() == GOES_BACK


def test_one_that_holds_waits_until_somebody_commits_it(
    puller: Puller, tester: Callable[..., Artifact]
) -> None:
    upgrade = puller.apply(tester(), holds=True)
    puller.waits_until(upgrade, lambda row: row.is_held, "the hold")
    assert "ArtifactCommit" not in puller.client.calls()
    commit_upgrade(upgrade=upgrade, actor=PORTAL, reason="it looks well")
    assert puller.ends(upgrade).outcome == Outcome.SUCCEEDED
    assert puller.client.calls() == SUCCEEDS


@pytest.fixture
def cutting(portal: Portal) -> Iterator[CuttingProxy]:
    target = (portal.host, portal.port)
    proxy = CuttingProxy(portal.host, target=target, after_bytes=LARGE // 3)
    yield proxy
    proxy.close()


def test_a_download_that_is_cut_off_goes_on_where_it_was(
    cutting: CuttingProxy, portal: Portal, let_in: LetIn, tester: Callable[..., Artifact]
) -> None:
    device = let_in(f"http://{portal.host}:{cutting.port}")
    _knows_its_type(device)
    upgrade = device.ends(device.apply(tester(size=LARGE)))
    assert upgrade.outcome == Outcome.SUCCEEDED
    fetches = [head for head in cutting.requests if "/v1/download/" in head]
    assert cutting.cuts >= 1
    assert len(fetches) == 2
    assert "Range: bytes=" in fetches[1]
    assert device.client.calls() == SUCCEEDS


def test_pulled_and_pushed_devices_are_updated_by_one_deployment(
    puller: Puller,
    device_container: Callable[..., DeviceContainer],
    tester: Callable[..., Artifact],
    start_portal: StartPortal,
) -> None:
    other = device_container(device_type=DEVICE_TYPE)
    credential = Credential.objects.create(
        name="key",
        kind=Credential.Kind.SSH_KEY,
        username=other.user,
        secret=other.client_key_pem,
    )
    Device.objects.create(
        name="pushed",
        device_type=DEVICE_TYPE,
        driver=Device.Driver.SSH,
        host=other.host,
        port=other.port,
        credential=credential,
        host_key=other.host_key,
    )
    module = ContentFile(TESTER_SCRIPT.encode())
    upload_update_module(name=TESTER, file=module, actor=PORTAL)
    start_portal("rqworker", "updates")
    deployment = deploy_artifact(
        artifact=tester(), devices=Device.objects.all(), actor=PORTAL, reason="both kinds"
    )
    for upgrade in deployment.upgrades.all():
        assert puller.ends(upgrade).outcome == Outcome.SUCCEEDED, upgrade.error
    executors = deployment.upgrades.values_list("executor", flat=True)
    assert set(executors) == {Upgrade.Executor.DEVICE, Upgrade.Executor.WORKER}
    assert other.exec("cat", "/data/calls").split().count("ArtifactCommit") == 1
    assert puller.client.calls() == SUCCEEDS
