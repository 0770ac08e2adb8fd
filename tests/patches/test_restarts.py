"""What waits for a restart by hand is on record until it was loaded, and what is said of it is so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from patches.jobs import look_at_instance
from patches.models import Node, NodeResult
from tests.environment.erlang import EBIN
from tests.journal.rows import brought_to, held
from tests.patches.bay import COUNTER, GREETING, Bay, statuses
from tests.patches.rows import PATHS, answered, file_of, new_instance, new_node, new_patch, ordered
from tests.patches.test_traps import FAILING, taking_nothing
from tests.patches.test_truth import greeting, linger, restarts, taken_back
from updates.machine import Outcome, State
from updates.models import Instance, Upgrade

pytestmark = pytest.mark.database(transaction=True)

GREETS, COUNTS = PATHS


def goes_back_by_hand(bay: Bay) -> None:
    other = bay.apply(bay.patch({COUNTER: bay.world.compiled("bay_counter", v=2)}, name="other"))
    assert taken_back(bay, other).outcome == Outcome.SUCCEEDED


def goes_back_at_once(bay: Bay) -> None:
    patch = bay.patch({COUNTER: bay.world.compiled("bay_counter", v=2)}, name="other")
    bay.check(patch)
    with taking_nothing(bay.nodes[1].root / EBIN):
        assert bay.run(bay.order(patch)).outcome == Outcome.ROLLED_BACK


@pytest.mark.parametrize("goes_back", [goes_back_by_hand, goes_back_at_once])
def test_what_waits_goes_on_waiting_when_another_patch_goes_back(
    bay: Bay, goes_back: Callable[[Bay], None]
) -> None:
    linger(bay)
    bay.apply(greeting(bay, 2))
    waits = bay.apply(greeting(bay, 3))
    assert {status[GREETING] for status in statuses(waits).values()} == {4}
    before = restarts(bay)
    assert all("bay_greeting of 1.0.0 + v2 + v3" in says for says in before)

    goes_back(bay)

    assert restarts(bay) == before
    for node in bay.nodes:
        node.restart()
    assert restarts(bay) == ["", ""]


def test_what_was_not_written_waits_for_no_restart(bay: Bay) -> None:
    upgrade = bay.apply(bay.patch({GREETING: bay.world.compile(FAILING)}))

    assert {status[GREETING] for status in statuses(upgrade).values()} == {4}
    assert [node.restart_needed for node in Node.objects.all()] == ["", ""]
    look_at_instance(str(bay.instance.pk))
    assert [node.drift for node in Node.objects.all()] == [[], []]


@pytest.fixture
def instance(transactional_db: None) -> Instance:
    """A system of one node."""
    found = new_instance("bay-1")
    new_node(found, "bay-node-1")
    return found


def over(instance: Instance, name: str, *files: dict[str, Any]) -> Upgrade:
    """A patch was applied, and the node has answered so."""
    upgrade = ordered(new_patch(name), instance)
    answered(Node.objects.get(), 4, upgrade=upgrade, step=NodeResult.Step.APPLY, files=list(files))
    brought_to(State.FINISHED, held(upgrade))
    return upgrade


def test_two_patches_that_wait_are_both_told_until_each_is_in(instance: Instance) -> None:
    over(instance, "one", file_of(GREETS, 4, written=True))
    over(instance, "two", file_of(COUNTS, 4, written=True))

    node = Node.objects.get()
    assert node.restart_paths == sorted(PATHS)
    assert "bay_greeting of 1.0.0 + one." in node.restart_needed
    assert "bay_counter of 1.0.0 + one + two." in node.restart_needed

    over(instance, "three", file_of(COUNTS, 6, written=True))

    node.refresh_from_db()
    assert node.restart_paths == [GREETS]
    assert "bay_greeting of 1.0.0 + one." in node.restart_needed
    assert "bay_counter" not in node.restart_needed


def test_a_file_that_stayed_as_it_was_changes_nothing_of_what_waits(instance: Instance) -> None:
    over(instance, "one", file_of(GREETS, 4, written=True))
    before = Node.objects.get().restart_needed

    over(instance, "two", file_of(GREETS, 4), file_of(COUNTS, 4))

    node = Node.objects.get()
    assert (node.restart_paths, node.restart_needed) == ([GREETS], before)
