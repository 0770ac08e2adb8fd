"""Apply, cancel, retry: what is ordered, what is refused with which code, and what is on record."""

from __future__ import annotations

import pytest

from portal.core.actors import PORTAL
from portal.core.errors import Refused
from portal.core.models import AuditEvent
from tests.journal.rows import brought_to, finished, held, new_artifact, new_device, new_upgrade
from tests.services.people import operator
from updates.errors import NotCompatible, TargetBusy, TooLate
from updates.machine import Event, Outcome, State
from updates.models import Upgrade
from updates.services.checks import request_checks
from updates.services.upgrades import apply_artifact, cancel_upgrade, retry_upgrade

pytestmark = pytest.mark.database


def failed(upgrade: Upgrade) -> Upgrade:
    """The upgrade failed before anything was changed."""
    journal = brought_to(State.DOWNLOADING, held(upgrade))
    journal.take(Event.FAILED)
    brought_to(State.FINISHED, journal)
    upgrade.refresh_from_db()
    assert upgrade.outcome == Outcome.FAILED
    return upgrade


def test_an_order_says_who_what_and_why() -> None:
    actor, device, artifact = operator(), new_device(), new_artifact()
    upgrade = apply_artifact(device=device, artifact=artifact, actor=actor, reason="  a fix  ")

    upgrade.refresh_from_db()
    assert (upgrade.state, upgrade.reason) == (State.PENDING, "a fix")
    assert (upgrade.from_version, upgrade.to_version) == ("old", "new")
    assert (upgrade.requested_by, upgrade.requested_by_name) == (actor.user, "olga")
    entry = AuditEvent.objects.get()
    assert (entry.action, entry.subject_id) == ("upgrade.apply", str(upgrade.pk))
    assert (entry.actor, entry.reason) == ("olga", "a fix")


def test_an_order_without_a_reason_is_refused() -> None:
    with pytest.raises(Refused, match="Say why"):
        apply_artifact(device=new_device(), artifact=new_artifact(), actor=operator(), reason=" \n")
    assert not Upgrade.objects.exists()
    assert not AuditEvent.objects.exists()


def test_an_artifact_for_other_devices_is_refused() -> None:
    artifact = new_artifact(device_types=["crate"])

    with pytest.raises(NotCompatible, match="crate"):
        apply_artifact(device=new_device(), artifact=artifact, actor=operator(), reason="a fix")
    assert not Upgrade.objects.exists()


@pytest.mark.parametrize("state", [State.PENDING, State.INSTALLING, State.CLEANING])
def test_a_busy_device_is_refused_and_names_its_holder(state: State) -> None:
    first = new_upgrade()
    brought_to(state, held(first))

    with pytest.raises(TargetBusy) as busy:
        apply_artifact(
            device=first.device, artifact=new_artifact(), actor=operator(), reason="a fix"
        )

    assert busy.value.holder == str(first.pk)
    assert busy.value.code == "UPD-104"
    assert Upgrade.objects.count() == 1


def test_a_device_is_free_again_when_its_upgrade_is_over() -> None:
    first = finished(new_upgrade())

    apply_artifact(
        device=first.device, artifact=new_artifact("newer"), actor=operator(), reason="a fix"
    )
    assert Upgrade.objects.filter(state=State.PENDING).count() == 1


def test_a_cancel_is_on_record_with_the_state_it_came_in() -> None:
    upgrade = new_upgrade()
    brought_to(State.DOWNLOADING, held(upgrade))

    cancel_upgrade(upgrade=upgrade, actor=operator(), reason="wrong one")

    assert upgrade.cancel_requested_by == "olga"
    entry = AuditEvent.objects.get()
    assert (entry.action, entry.reason) == ("upgrade.cancel", "wrong one")
    assert entry.data == {"state": "downloading"}


def test_a_cancel_that_is_too_late_is_not_on_record() -> None:
    upgrade = finished(new_upgrade())

    with pytest.raises(TooLate):
        cancel_upgrade(upgrade=upgrade, actor=operator())
    assert not AuditEvent.objects.exists()


def test_a_retry_does_the_same_again_and_says_what_it_retries() -> None:
    old = failed(new_upgrade())

    again = retry_upgrade(upgrade=old, actor=operator(), reason="the network is back")

    again.refresh_from_db()
    assert again.retries == old
    assert (again.artifact, again.device, again.state) == (old.artifact, old.device, "pending")
    assert again.plan["upgrade"] == str(again.pk)
    assert AuditEvent.objects.get().action == "upgrade.retry"


def test_what_runs_cannot_be_retried() -> None:
    with pytest.raises(TooLate):
        retry_upgrade(upgrade=new_upgrade(), actor=operator(), reason="again")


def test_what_succeeded_cannot_be_retried() -> None:
    with pytest.raises(Refused, match="succeeded"):
        retry_upgrade(upgrade=finished(new_upgrade()), actor=operator(), reason="again")


def test_a_retry_waits_for_nobody() -> None:
    old = failed(new_upgrade())
    holder = new_upgrade(old.device)

    with pytest.raises(TargetBusy) as busy:
        retry_upgrade(upgrade=old, actor=operator(), reason="again")
    assert busy.value.holder == str(holder.pk)


def test_a_broken_upgrade_to_the_longest_name_can_be_retried_and_checked() -> None:
    upgrade = new_upgrade(artifact=new_artifact("n" * 256))
    journal = brought_to(State.ROLLING_BACK, held(upgrade))
    journal.take(Event.FAILED)
    brought_to(State.FINISHED, journal)
    upgrade.refresh_from_db()
    assert upgrade.artifact is not None

    again = retry_upgrade(upgrade=upgrade, actor=operator(), reason="repaired by hand")
    (check,) = request_checks(artifact=upgrade.artifact, devices=[again.device], actor=PORTAL)

    again.refresh_from_db()
    check.refresh_from_db()
    assert again.from_version == check.installed == "n" * 256 + "_INCONSISTENT"


def test_a_broken_upgrade_marks_the_device_and_can_be_retried() -> None:
    upgrade = new_upgrade()
    journal = brought_to(State.ROLLING_BACK, held(upgrade))
    journal.take(Event.FAILED)
    brought_to(State.FINISHED, journal)

    upgrade.refresh_from_db()
    upgrade.device.refresh_from_db()
    assert upgrade.device.artifact_name == "new_INCONSISTENT"
    retry_upgrade(upgrade=upgrade, actor=operator(), reason="repaired by hand")
