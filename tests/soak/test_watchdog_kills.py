"""The watchdog is killed in each state, with all that it has started: what runs then is exactly the old or exactly the new."""

from __future__ import annotations

import pytest

from tests.containers.ledger import SPOILS
from tests.soak.conftest import IS_LONG
from tests.watchdog.conftest import built as built
from tests.watchdog.conftest import portal_stage as portal_stage
from tests.watchdog.stage import PortalStage

pytestmark = pytest.mark.docker

ON_THE_WAY = (
    *("checking", "backing_up", "downloading", "installing", "restarting", "verifying"),
    *("committing", "cleaning"),
)
ON_THE_WAY_BACK = ("rolling_back", "rollback_restarting", "rollback_verifying", "failing")
HANDFUL = ("downloading", "installing", "rolling_back")


def some(states: tuple[str, ...]) -> list[str]:
    return [state for state in states if IS_LONG or state in HANDFUL]


@pytest.mark.parametrize("state", some(ON_THE_WAY))
def test_one_that_is_killed_leaves_the_old_or_the_new(
    portal_stage: PortalStage, state: str
) -> None:
    portal_stage.start()
    portal_stage.ask("2.0.0")
    portal_stage.until(state, "finished")
    portal_stage.kill()
    portal_stage.start()
    record = portal_stage.ended()

    assert record.outcome in ("succeeded", "rolled_back", "failed"), record.error
    if record.outcome == "succeeded":
        portal_stage.require_new()
    else:
        portal_stage.require_old()


@pytest.mark.parametrize("state", some(ON_THE_WAY_BACK))
def test_one_that_is_killed_on_the_way_back_gets_there(
    portal_stage: PortalStage, state: str
) -> None:
    portal_stage.start()
    portal_stage.ask(SPOILS.number)
    portal_stage.until(state, "finished")
    portal_stage.kill()
    portal_stage.start()

    assert portal_stage.ended().outcome == "rolled_back"
    portal_stage.require_old()
