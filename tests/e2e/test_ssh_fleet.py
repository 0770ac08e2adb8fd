"""Ten devices over real SSH, two workers; one is killed in the middle, and Redis is emptied in the middle."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.files.base import ContentFile

from devices.models import Device
from portal.core.actors import PORTAL
from tests.drivers.sshd import RunningSshd
from tests.e2e.conftest import StartPortal
from tests.e2e.record import RECORDING_MODULE, calls, overlaps, read_record
from tests.environment.redis import RedisServer
from tests.environment.ssh_fleet import ssh_devices
from tests.environment.waiting import wait_until
from updates.machine import ACTIVE, Outcome, State
from updates.models import Artifact, Deployment, Upgrade
from updates.services.artifacts import upload_update_module
from updates.services.deployments import deploy_artifact
from updates.services.upgrades import apply_artifact

DEVICES = 10
FAILING = 3
GOOD_CALLS = ["Download", "ArtifactInstall", "ArtifactCommit", "Cleanup"]
BAD_CALLS = ["Download", "ArtifactInstall", "ArtifactRollback", "ArtifactFailure", "Cleanup"]
PATIENCE_SECONDS = 120
SLOW_ANSWER = """#!/bin/sh
[ "$1" = NeedsArtifactReboot ] || exit 0
echo asked >> "$FLEETWRIGHT_ROOT/asked"
sleep 2
echo No
"""


@pytest.fixture
def fleet(own_sshd: RunningSshd, tmp_path: Path, transactional_db: None) -> list[Device]:
    found = ssh_devices(own_sshd, tmp_path, count=DEVICES)
    for number, device in enumerate(found):
        root = Path(device.root)
        (root / "var/www").mkdir(parents=True)
        (root / "var/www/index").write_text("before")
        (root / "seconds").write_text("1.5")
        if number == FAILING:
            (root / "fails").touch()
    return found


def test_every_upgrade_ends_in_its_true_outcome_though_a_worker_dies_and_redis_forgets(
    fleet: list[Device],
    uploaded: Callable[..., Artifact],
    start_portal: StartPortal,
    redis_server: RedisServer,
) -> None:
    lease = {"LEASE_SECONDS": "3", "HEARTBEAT_SECONDS": "1"}
    doomed = start_portal("rqworker", "updates", **lease)
    start_portal("rqworker", "updates", **lease)
    start_portal("recover", "--every", "1", **lease)
    upload_update_module(name="web-file", file=ContentFile(RECORDING_MODULE.encode()), actor=PORTAL)
    deployment = deploy_artifact(
        artifact=uploaded("web-1", {"index": "after"}, device_type="web"),
        devices=Device.objects.all(),
        actor=PORTAL,
        reason="a worker will die",
    )

    held = wait_until(
        lambda: _installing(deployment, held_by=doomed.pid),
        seconds=PATIENCE_SECONDS,
        what="an upgrade that the doomed worker installs",
    )
    assert held is not None
    doomed.kill_with_children()
    redis_server.empty()
    start_portal("rqworker", "updates", **lease)

    wait_until(
        lambda: not deployment.upgrades.exclude(state=State.FINISHED).exists(),
        seconds=PATIENCE_SECONDS,
        what=f"the end of every upgrade, {deployment.upgrades.values_list('state', flat=True)}",
    )
    for device in fleet:
        _has_its_true_outcome(device)
    held.refresh_from_db()
    assert held.fence > 1, "the killed worker's upgrade was taken over"
    assert held.events.filter(text__contains="took over").exists()


def test_a_question_is_asked_again_when_the_connection_breaks(
    own_sshd: RunningSshd,
    fleet: list[Device],
    uploaded: Callable[..., Artifact],
    start_portal: StartPortal,
) -> None:
    start_portal("rqworker", "updates")
    device = fleet[0]
    asked = Path(device.root) / "asked"
    script = SLOW_ANSWER.encode()
    upload_update_module(name="web-file", file=ContentFile(script), actor=PORTAL)
    artifact = uploaded("web-1", {"index": "after"}, device_type="web")
    upgrade = apply_artifact(device=device, artifact=artifact, actor=PORTAL, reason="a slow answer")

    wait_until(asked.exists, seconds=PATIENCE_SECONDS, what="the question")
    own_sshd.kill_connections()

    wait_until(
        lambda: Upgrade.objects.filter(pk=upgrade.pk, state=State.FINISHED).exists(),
        seconds=PATIENCE_SECONDS,
        what="the end",
    )
    upgrade.refresh_from_db()
    assert upgrade.outcome == Outcome.SUCCEEDED, upgrade.error
    assert asked.read_text().count("asked") == 2


def _installing(deployment: Deployment, *, held_by: int) -> Upgrade | None:
    """An upgrade whose module is at work under the worker's forked child."""
    for upgrade in deployment.upgrades.filter(state=State.INSTALLING).select_related("device"):
        holder = int(upgrade.worker.rsplit("/", 1)[-1])
        record = Path(upgrade.device.root) / "record"
        parent = Path(f"/proc/{holder}/stat")
        if not parent.exists() or int(parent.read_text().rsplit(")", 1)[1].split()[1]) != held_by:
            continue
        if record.exists() and "start ArtifactInstall" in record.read_text():
            return upgrade
    return None


def _has_its_true_outcome(device: Device) -> None:
    upgrade = device.upgrades.get()
    root = Path(device.root)
    fails = device.name == f"device-{FAILING}"
    assert upgrade.outcome == (Outcome.ROLLED_BACK if fails else Outcome.SUCCEEDED), upgrade.error
    assert (root / "var/www/index").read_text() == ("before" if fails else "after")
    record = read_record(root)
    assert overlaps(record) == []
    assert calls(record) == (BAD_CALLS if fails else GOOD_CALLS)
    numbers = list(upgrade.events.values_list("seq", flat=True))
    assert numbers == list(range(1, upgrade.last_seq + 1)), "a hole in the history"
    device.refresh_from_db()
    assert device.artifact_name == ("" if fails else "web-1")
    assert upgrade.state not in ACTIVE
