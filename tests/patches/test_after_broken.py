"""What can be done after an upgrade that broke, and what is left of it once it is in order again."""

from __future__ import annotations

import pytest
from pytest_django import Settings

from patches.models import Application, KeptFiles, Patch
from patches.services.elimination import eliminate
from patches.services.patches import delete_patch
from tests.environment.erlang import EBIN
from tests.failures.door import Fault
from tests.patches.bay import COUNTER, GREETING, Bay, who
from tests.patches.test_traps import SLOW, taking_nothing
from tests.patches.test_truth import JOB, greeting, taken_back
from updates.errors import NotUndoable
from updates.machine import Outcome, State
from updates.models import Upgrade
from updates.services.upgrades import refuse_not_undoable, retry_upgrade, roll_back_upgrade

pytestmark = pytest.mark.database(transaction=True)


@pytest.fixture(autouse=True)
def impatient(settings: Settings) -> None:
    settings.PATCH_AWAY_SECONDS = 1


def broke_on_its_way_back(bay: Bay, upgrade: Upgrade) -> Upgrade:
    """One node took nothing, and the other one died."""
    with taking_nothing(bay.nodes[1].root / EBIN):
        dies = Fault("node dies", bay.nodes[0].stop, bay.nodes[0].start)
        JOB.meets(dies, upgrade=upgrade, state=State.ROLLING_BACK)
    assert upgrade.outcome == Outcome.BROKEN, upgrade.error
    for module, function in (("bay_greeting", "answer"), ("bay_counter", "step")):
        bay.nodes[0].call(module, function)
    return upgrade


def slow(bay: Bay) -> Patch:
    code = {COUNTER: bay.world.compiled("bay_counter", v=2), GREETING: bay.world.compile(SLOW)}
    patch = bay.patch(code, name="slow")
    bay.check(patch)
    return patch


def test_a_patch_below_a_broken_one_is_taken_back_once_that_was_applied_again(bay: Bay) -> None:
    below, patch = bay.apply(greeting(bay, 3)), slow(bay)
    broke_on_its_way_back(bay, bay.order(patch))
    with pytest.raises(NotUndoable, match=r"slow broke on top of it.*: apply it again first"):
        refuse_not_undoable(below)

    again = bay.apply(patch)
    with pytest.raises(NotUndoable, match=r"slow stands on top of it.*: revert that one first"):
        refuse_not_undoable(below)

    assert taken_back(bay, again).outcome == Outcome.SUCCEEDED
    assert bay.answers() == [3, 3]
    assert taken_back(bay, below).outcome == Outcome.SUCCEEDED
    assert bay.answers() == [1, 1]


def test_a_broken_patch_without_its_archive_is_uploaded_anew(bay: Bay) -> None:
    below, patch = bay.apply(greeting(bay, 3)), slow(bay)
    broke_on_its_way_back(bay, bay.order(patch))
    delete_patch(patch=patch, actor=who("patches.delete_patch"), reason="it is bad")
    with pytest.raises(NotUndoable, match="upload it anew, and apply that first"):
        refuse_not_undoable(below)

    again = bay.apply(slow(bay))

    assert taken_back(bay, again).outcome == Outcome.SUCCEEDED
    assert taken_back(bay, below).outcome == Outcome.SUCCEEDED
    assert bay.answers() == [1, 1]


def test_what_broke_on_its_way_back_is_to_be_reverted_once_more(bay: Bay) -> None:
    below, patch = bay.apply(greeting(bay, 3)), slow(bay)
    above = bay.run(bay.order(patch))
    broke_on_its_way_back(bay, undo_of(above))

    with pytest.raises(NotUndoable, match=r"slow stands on top of it.*: revert that one first"):
        refuse_not_undoable(below)
    assert taken_back(bay, above).outcome == Outcome.SUCCEEDED
    refuse_not_undoable(below)


def undo_of(upgrade: Upgrade) -> Upgrade:
    return roll_back_upgrade(upgrade=upgrade, actor=who("updates.roll_back_upgrade"), reason="back")


def test_nothing_is_kept_of_a_way_back_that_broke_once_another_one_succeeded(bay: Bay) -> None:
    lingering_once(bay)
    undo = broke_on_its_way_back(bay, undo_of(bay.apply(greeting(bay, 2))))
    assert KeptFiles.objects.filter(upgrade=undo).exists()

    actor = who("updates.retry_upgrade", "updates.roll_back_upgrade")
    again = bay.run(retry_upgrade(upgrade=undo, actor=actor, reason="it can be written now"))

    assert again.outcome == Outcome.SUCCEEDED, again.error
    assert Application.objects.get().standing == Application.Standing.REVERTED
    assert not KeptFiles.objects.exists()


def test_nothing_is_kept_of_a_way_back_that_broke_after_an_installation(bay: Bay) -> None:
    lingering_once(bay)
    broke_on_its_way_back(bay, undo_of(bay.apply(greeting(bay, 2))))

    eliminate(bay.instance, why="It was installed anew.")

    assert not KeptFiles.objects.exists()


def lingering_once(bay: Bay) -> None:
    """The way back of a patch on this node waits for a restart."""
    bay.nodes[0].evaluate("bay_greeting:linger_with(stays)")
