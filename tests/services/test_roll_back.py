"""Taking an upgrade back by hand: a new upgrade, refused when it would not lead where it says."""

from __future__ import annotations

import pytest

from devices.models import Device
from portal.core.models import AuditEvent
from tests.journal.rows import brought_to, finished, held, new_artifact, new_device, new_upgrade
from tests.services.people import operator
from updates.errors import NotUndoable
from updates.machine import Event, Outcome, State
from updates.models import Artifact, Upgrade
from updates.plan import ArtifactPlan, Mode
from updates.services.upgrades import retry_upgrade, roll_back_upgrade

pytestmark = pytest.mark.database


def undoable(device: Device | None = None, artifact: Artifact | None = None) -> Upgrade:
    """An upgrade that succeeded, and whose Update Module can roll back."""
    upgrade = new_upgrade(device, artifact)
    journal = brought_to(State.COMMITTED, held(upgrade))
    journal.remember("supports_rollback", True)
    brought_to(State.FINISHED, journal)
    upgrade.refresh_from_db()
    return upgrade


def broken(upgrade: Upgrade) -> Upgrade:
    journal = brought_to(State.ROLLING_BACK, held(upgrade))
    journal.take(Event.FAILED)
    brought_to(State.FINISHED, journal)
    upgrade.refresh_from_db()
    assert upgrade.outcome == Outcome.BROKEN
    return upgrade


def provides(device: Device) -> dict[str, str]:
    device.refresh_from_db()
    return dict(device.provides)


def test_a_rollback_is_a_new_upgrade_that_undoes_the_old_one() -> None:
    old = undoable()
    undo = roll_back_upgrade(upgrade=old, actor=operator(), reason="it is slow")

    undo.refresh_from_db()
    plan = ArtifactPlan.from_json(undo.plan)
    assert (undo.undoes, undo.state) == (old, State.PENDING)
    assert (undo.from_version, undo.to_version) == ("new", "old")
    assert (plan.mode, plan.tree_of) == (Mode.RESTORE, str(old.pk))
    old.refresh_from_db()
    assert (old.state, old.outcome) == (State.FINISHED, Outcome.SUCCEEDED)
    entry = AuditEvent.objects.get()
    assert (entry.action, entry.reason) == ("upgrade.roll_back", "it is slow")


def test_a_rollback_brings_back_what_the_device_provided() -> None:
    device = new_device(provides={"artifact_name": "old", "app.version": "1", "left.alone": "x"})
    artifact = new_artifact(
        provides={"app.version": "2", "app.extra": "y"}, clears_provides=["app.*"]
    )
    old = undoable(device, artifact)
    assert provides(device) == {
        "artifact_name": "new", "app.version": "2", "app.extra": "y", "left.alone": "x",
    }  # fmt: skip

    finished(roll_back_upgrade(upgrade=old, actor=operator(), reason="it is slow"))

    assert provides(device) == {"artifact_name": "old", "app.version": "1", "left.alone": "x"}


def test_what_waited_builds_on_what_was_installed_meanwhile_and_goes_back_to_it() -> None:
    device = new_device(provides={"artifact_name": "old"})
    first = new_upgrade(device, new_artifact("first", provides={"a": "1"}))
    second = new_upgrade(device, new_artifact("second", provides={"b": "2"}))
    finished(first)
    journal = brought_to(State.COMMITTED, held(second))
    journal.remember("supports_rollback", True)
    brought_to(State.FINISHED, journal)
    second.refresh_from_db()

    assert provides(device) == {"artifact_name": "second", "a": "1", "b": "2"}
    assert second.from_version == "first"

    finished(roll_back_upgrade(upgrade=second, actor=operator(), reason="it is slow"))
    assert provides(device) == {"artifact_name": "first", "a": "1"}


def test_something_newer_on_top_has_to_go_back_first() -> None:
    device = new_device()
    first = undoable(device, new_artifact("first"))
    second = undoable(device, new_artifact("second"))
    actor = operator()

    with pytest.raises(NotUndoable, match=r"second on .* stands on top"):
        roll_back_upgrade(upgrade=first, actor=actor, reason="it is slow")
    finished(roll_back_upgrade(upgrade=second, actor=actor, reason="it is slow"))
    finished(roll_back_upgrade(upgrade=first, actor=actor, reason="that too"))

    assert provides(device) == {"artifact_name": "old"}


def test_something_newer_that_broke_stands_on_top_too() -> None:
    device = new_device()
    first = undoable(device)
    broken(new_upgrade(device, new_artifact("second")))

    with pytest.raises(NotUndoable, match="is broken"):
        roll_back_upgrade(upgrade=first, actor=operator(), reason="it is slow")


def test_something_newer_that_changed_nothing_does_not_matter() -> None:
    device = new_device()
    first = undoable(device)
    for event in (Event.FAILED, Event.ALREADY_THERE):
        journal = brought_to(State.CHECKING, held(new_upgrade(device)))
        journal.take(event)
        brought_to(State.FINISHED, journal)

    assert roll_back_upgrade(upgrade=first, actor=operator(), reason="it is slow")


def test_what_was_taken_back_cannot_be_taken_back_again() -> None:
    old = undoable()
    actor = operator()
    undo = finished(roll_back_upgrade(upgrade=old, actor=actor, reason="it is slow"))

    for upgrade in (old, undo):
        with pytest.raises(NotUndoable):
            roll_back_upgrade(upgrade=upgrade, actor=actor, reason="again")


def test_a_payload_that_knows_no_way_back_is_refused() -> None:
    with pytest.raises(NotUndoable, match="does not support rollback"):
        roll_back_upgrade(upgrade=finished(new_upgrade()), actor=operator(), reason="it is slow")


def test_only_a_success_can_be_taken_back() -> None:
    actor = operator()
    for upgrade in (new_upgrade(), broken(new_upgrade())):
        with pytest.raises(NotUndoable, match="Only an upgrade that succeeded"):
            roll_back_upgrade(upgrade=upgrade, actor=actor, reason="it is slow")


def test_a_rollback_that_broke_can_be_tried_again_and_says_what_it_retries() -> None:
    old = undoable()
    actor = operator()
    undo = broken(roll_back_upgrade(upgrade=old, actor=actor, reason="it is slow"))
    assert provides(old.device)["artifact_name"] == "new_INCONSISTENT"

    again = retry_upgrade(upgrade=undo, actor=actor, reason="repaired by hand")

    again.refresh_from_db()
    assert (again.undoes, again.retries) == (old, undo)
    assert ArtifactPlan.from_json(again.plan).mode is Mode.RESTORE
    assert AuditEvent.objects.get(subject_id=str(again.pk)).action == "upgrade.retry"
    finished(again)
    assert provides(old.device) == {"artifact_name": "old"}
