"""The watchdog as a program: a real engine, a real registry, Compose, and kills."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

import pytest

from tests.containers.ledger import SPOILS, UNWELL, V1, V2, Version
from tests.watchdog.stage import WEB, PortalStage

pytestmark = pytest.mark.docker

SET = [WEB, "portal_worker_1"]


@pytest.fixture
def stage(built: PortalStage) -> Iterator[PortalStage]:
    """It runs 1.0.0, and has something to lose."""
    built.ledger.release(V1, "latest")
    built.engine.docker("pull", "--quiet", built.ledger.reference("latest"))
    built.up()
    (built.data / "book").write_text("a line\n")
    built.leave_word()
    yield built
    built.kill()
    built.down()


def require_old(stage: PortalStage) -> None:
    assert stage.images() == dict.fromkeys(SET, "1.0.0")
    assert stage.book() == "a line\n1\n"


def require_new(stage: PortalStage) -> None:
    assert stage.images() == dict.fromkeys(SET, "2.0.0")
    assert stage.book() == "a line\nmigrated from 1 by 2.0.0\n2\n"


def test_a_bare_trigger_upgrades_the_whole_set(stage: PortalStage) -> None:
    """Also where the portal has left no word how it wants that."""
    stage.folder.template.unlink()
    stage.start()
    stage.ask("2.0.0")
    record = stage.ended()

    assert (record.outcome, record.error) == ("succeeded", "")
    require_new(stage)
    assert UUID(record.upgrade)
    assert "Monitoring" in stage.log.read_text()
    assert not stage.folder.trigger.exists()
    backups = [one.name for one in (stage.data / "backups").iterdir()]
    assert len([name for name in backups if name.endswith(".tar.gz")]) == 1


def test_the_newest_is_what_the_registry_says_it_is(stage: PortalStage) -> None:
    stage.ledger.release(V2, "latest")
    stage.start()
    stage.ask("latest")

    assert stage.ended().outcome == "succeeded"
    require_new(stage)


@pytest.mark.parametrize("version", [UNWELL, SPOILS])
def test_what_is_never_well_is_rolled_back_with_its_data(
    stage: PortalStage, version: Version
) -> None:
    stage.start()
    stage.ask(version.number)
    record = stage.ended()

    assert record.outcome == "rolled_back", record.error
    require_old(stage)


@pytest.mark.parametrize(
    "state", ["checking", "backing_up", "downloading", "installing", "restarting", "verifying", "cleaning"]
)  # fmt: skip
def test_a_watchdog_that_is_killed_leaves_the_old_or_the_new(
    stage: PortalStage, state: str
) -> None:
    stage.start()
    stage.ask("2.0.0")
    stage.until(state, "finished")
    stage.kill()
    stage.start()
    record = stage.ended()

    assert record.outcome in ("succeeded", "rolled_back", "failed"), record.error
    (require_new if record.outcome == "succeeded" else require_old)(stage)


@pytest.mark.parametrize("state", ["rolling_back", "rollback_restarting", "rollback_verifying"])
def test_one_that_is_killed_on_the_way_back_gets_there(stage: PortalStage, state: str) -> None:
    stage.start()
    stage.ask(SPOILS.number)
    stage.until(state, "finished")
    stage.kill()
    stage.start()

    assert stage.ended().outcome == "rolled_back"
    require_old(stage)


def test_a_project_that_is_not_its_own_is_left_alone(stage: PortalStage) -> None:
    stage.start(COMPOSE_PROJECT_NAME="another")
    stage.ask("2.0.0")
    record = stage.ended()

    assert record.outcome == "failed"
    assert record.error == (
        f"{WEB} belongs to the project portal, not to another: the watchdog leaves it alone."
    )
    require_old(stage)


def test_an_image_with_a_tag_in_its_name_is_refused(stage: PortalStage) -> None:
    stage.start(IMAGE_NAME=stage.ledger.reference("latest"))
    stage.ask("2.0.0")
    record = stage.ended()

    assert "without a tag or digest" in record.error
    require_old(stage)


def test_what_is_not_in_the_registry_changes_nothing(stage: PortalStage) -> None:
    stage.start()
    stage.ask("9.9.9")

    assert stage.ended().outcome == "failed"
    require_old(stage)
