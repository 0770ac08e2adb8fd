"""The watchdog as a program: a real engine, a real registry, Compose, and kills."""

from __future__ import annotations

import json
from uuid import UUID, uuid4

import pytest

from tests.containers.ledger import SPOILS, UNWELL, V2, Version
from tests.environment.waiting import wait_until
from tests.watchdog.stage import WEB, PortalStage
from updates.watchdog.heartbeat import read_heartbeat
from updates.watchdog.preflight import Seen, read_preflight

pytestmark = pytest.mark.docker


def test_a_bare_trigger_upgrades_the_whole_set(portal_stage: PortalStage) -> None:
    """Also where the portal has left no word how it wants that."""
    portal_stage.folder.template.unlink()
    portal_stage.start()
    portal_stage.ask("2.0.0")
    record = portal_stage.ended()

    assert (record.outcome, record.error) == ("succeeded", "")
    portal_stage.require_new()
    assert UUID(record.upgrade)
    assert record.from_version == portal_stage.ledger.reference("1.0.0")
    assert "Monitoring" in portal_stage.log.read_text()
    assert not portal_stage.folder.trigger.exists()
    backups = [one.name for one in (portal_stage.data / "backups").iterdir()]
    assert len([name for name in backups if name.endswith(".tar.gz")]) == 1


def test_the_newest_is_what_the_registry_says_it_is(portal_stage: PortalStage) -> None:
    portal_stage.ledger.release(V2, "latest")
    portal_stage.start()
    portal_stage.ask("latest")

    assert portal_stage.ended().outcome == "succeeded"
    portal_stage.require_new()


@pytest.mark.parametrize("version", [UNWELL, SPOILS])
def test_what_is_never_well_is_rolled_back_with_its_data(
    portal_stage: PortalStage, version: Version
) -> None:
    portal_stage.start()
    portal_stage.ask(version.number)
    record = portal_stage.ended()

    assert record.outcome == "rolled_back", record.error
    portal_stage.require_old()


def test_a_project_that_is_not_its_own_is_left_alone(portal_stage: PortalStage) -> None:
    portal_stage.start(COMPOSE_PROJECT_NAME="another")
    portal_stage.ask("2.0.0")
    record = portal_stage.ended()

    assert record.outcome == "failed"
    assert record.error == (
        f"{WEB} belongs to the project portal, not to another: the watchdog leaves it alone."
    )
    portal_stage.require_old()


def test_an_image_with_a_tag_in_its_name_is_refused(portal_stage: PortalStage) -> None:
    portal_stage.start(IMAGE_NAME=portal_stage.ledger.reference("latest"))
    portal_stage.ask("2.0.0")
    record = portal_stage.ended()

    assert "without a tag or digest" in record.error
    portal_stage.require_old()


def test_a_watchdog_without_an_engine_says_so(portal_stage: PortalStage) -> None:
    portal_stage.start(DOCKER_SOCKET="/nowhere/docker.sock")
    wait_until(
        lambda: "does not reach the Docker Engine" in _trouble(portal_stage),
        seconds=60,
        what="the watchdog to say so",
    )


def test_a_cancel_is_heard_while_the_engine_is_away(portal_stage: PortalStage) -> None:
    upgrade = str(uuid4())
    said = {"upgradeId": upgrade, "version": "2.0.0"}
    portal_stage.folder.trigger.write_text(json.dumps(said))
    portal_stage.start(DOCKER_SOCKET="/nowhere/docker.sock")
    wait_until(portal_stage.folder.taken.exists, seconds=60, what="it is taken")
    portal_stage.folder.cancel(upgrade).write_text("ann")

    assert portal_stage.ended().outcome == "cancelled"
    wait_until(lambda: not portal_stage.folder.taken.exists(), seconds=60, what="it is gone")


def test_what_is_not_in_the_registry_changes_nothing(portal_stage: PortalStage) -> None:
    portal_stage.start()
    portal_stage.ask("9.9.9")

    assert portal_stage.ended().outcome == "failed"
    portal_stage.require_old()


def test_it_says_what_an_upgrade_would_find(portal_stage: PortalStage) -> None:
    seen = _looked(portal_stage)
    assert all(one.ok for one in seen.findings), seen.findings
    assert any("compose" in one.what.lower() for one in seen.findings), seen.findings
    assert any(one.what == "space" for one in seen.findings), seen.findings
    files = portal_stage.project / "compose.yml"
    files.rename(portal_stage.project / "elsewhere.yml")
    try:
        again = _looked(portal_stage)
    finally:
        (portal_stage.project / "elsewhere.yml").rename(files)
    assert any(not one.ok and "compose.yml" in one.says for one in again.findings)


def test_a_tag_that_is_pinned_to_what_runs_hinders_and_no_registry_is_asked(
    portal_stage: PortalStage,
) -> None:
    files = portal_stage.project / "compose.yml"
    said = files.read_text()
    files.write_text(said.replace(":latest", ":1.0.0"))
    portal_stage.registry.hang()
    try:
        seen = _looked(portal_stage)
    finally:
        portal_stage.registry.go_on()
        files.write_text(said)
    assert [one.what for one in seen.findings if not one.ok] == ["Compose"] * 2, seen.findings
    assert all("pins the tag 1.0.0" in one.says for one in seen.findings if not one.ok)


def _looked(stage: PortalStage) -> Seen:
    """What it says after a start."""
    stage.folder.preflight.unlink(missing_ok=True)
    stage.start(FLEETWRIGHT_VERSION="1.0.0")
    try:
        wait_until(stage.folder.preflight.exists, seconds=60, what="it has looked")
    finally:
        stage.kill()
    seen = read_preflight(stage.folder)
    assert seen is not None
    return seen


def _trouble(stage: PortalStage) -> str:
    beat = read_heartbeat(stage.folder)
    return beat.trouble if beat else ""
