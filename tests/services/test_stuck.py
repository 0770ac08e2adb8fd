"""What does not move, why, and getting it to move again or to end."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from portal.core.actors import PORTAL, actor_of
from portal.core.errors import Conflict, NotPermitted, Refused
from portal.core.models import AuditEvent
from tests.journal.rows import (
    brought_to,
    finished,
    held,
    let_lapse,
    new_artifact,
    new_device,
    new_upgrade,
)
from updates import lease
from updates.errors import LeaseLost, TargetBusy, TooLate
from updates.machine import Event, State
from updates.models import Upgrade
from updates.queries import Standstill, stuck, stuck_upgrades
from updates.services.force import force_cancel_upgrade
from updates.services.recover import recover_upgrade

pytestmark = pytest.mark.database


def overdue(upgrade: Upgrade) -> None:
    """It has been in its state since the day before yesterday."""
    Upgrade.objects.filter(pk=upgrade.pk).update(
        state_entered_at=timezone.now() - timedelta(days=2)
    )


def test_what_runs_in_time_and_what_is_over_is_not_stuck() -> None:
    brought_to(State.INSTALLING, held(new_upgrade()))
    finished(new_upgrade())

    assert stuck() == []


def test_a_waiting_upgrade_names_what_it_waits_for() -> None:
    device = new_device("box-1")
    first, second, third = (new_upgrade(device) for _ in range(3))
    brought_to(State.DOWNLOADING, held(first))

    rows = {row.upgrade.pk: row for row in stuck()}

    assert set(rows) == {second.pk, third.pk}
    assert rows[second.pk].waits_for == rows[third.pk].waits_for == first
    assert rows[second.pk].why == (
        "It waits for new on box-1, which is downloading and has to end first."
    )
    assert not rows[second.pk].can_recover


def test_the_older_of_two_that_wait_is_what_the_younger_waits_for() -> None:
    device = new_device()
    first, second = new_upgrade(device), new_upgrade(device)

    rows = {row.upgrade.pk: row for row in stuck()}

    assert rows[first.pk].can_recover
    assert "nobody has taken it up" in rows[first.pk].why
    assert rows[second.pk].waits_for == first


def test_an_upgrade_whose_worker_died_says_so() -> None:
    upgrade = new_upgrade()
    brought_to(State.INSTALLING, held(upgrade, worker="host/17"))
    let_lapse(upgrade)

    (row,) = stuck()

    assert row.kind is Standstill.UNHELD
    assert row.can_recover
    assert row.why.startswith("Its worker host/17 was lost while installing: its lease ran out ")


def test_an_upgrade_that_was_handed_over_says_so() -> None:
    upgrade = new_upgrade()
    journal = brought_to(State.VERIFYING, held(upgrade))
    lease.release(str(upgrade.pk), fence=journal.fence)

    (row,) = stuck()

    assert row.why == "It was handed over while verifying, and no worker has taken it up yet."


def test_an_upgrade_past_its_states_limit_says_how_long() -> None:
    upgrade = new_upgrade()
    brought_to(State.INSTALLING, held(upgrade))
    overdue(upgrade)

    (row,) = stuck()

    assert row.kind is Standstill.OVERDUE
    assert not row.can_recover
    assert row.why == "It has been installing for 2\xa0days, and 4\xa0hours are allowed."


def test_the_worst_come_first_and_pages_do_not_overlap() -> None:
    waiting, late, lost = new_upgrade(), new_upgrade(), new_upgrade()
    brought_to(State.INSTALLING, held(late))
    overdue(late)
    brought_to(State.INSTALLING, held(lost))
    let_lapse(lost)

    assert [row.upgrade for row in stuck()] == [lost, late, waiting]
    assert [stuck(limit=1, offset=n)[0].upgrade for n in range(3)] == [lost, late, waiting]
    assert list(stuck_upgrades(Standstill.OVERDUE)) == [late]


@pytest.mark.parametrize("rows", [2, 20])
def test_explaining_costs_the_same_however_many_wait(
    rows: int, django_assert_num_queries: object
) -> None:
    device, artifact = new_device(), new_artifact()
    for _ in range(rows):
        new_upgrade(device, artifact)

    with django_assert_num_queries(2):  # type: ignore[operator]
        assert len(stuck()) == rows


def test_a_lost_upgrade_is_put_back_with_who_did_it() -> None:
    upgrade = new_upgrade()
    brought_to(State.INSTALLING, held(upgrade, worker="host/17"))
    let_lapse(upgrade)

    recover_upgrade(upgrade=upgrade, actor=PORTAL)

    upgrade.refresh_from_db()
    assert upgrade.lease_until is None
    text = upgrade.events.latest("seq").text
    assert text.startswith("portal put it back on the queue. The lease of host/17 ran out at ")
    assert AuditEvent.objects.get(action="upgrade.recover").subject_id == str(upgrade.pk)
    assert lease.claim(str(upgrade.pk), worker="host/18")


def test_an_upgrade_that_a_worker_holds_is_not_put_back() -> None:
    upgrade = new_upgrade()
    brought_to(State.INSTALLING, held(upgrade, worker="host/17"))

    with pytest.raises(Conflict, match=r"^host/17 holds it until \d\d:\d\d:\d\d UTC"):
        recover_upgrade(upgrade=upgrade, actor=PORTAL)

    assert not AuditEvent.objects.filter(action="upgrade.recover").exists()


def test_an_upgrade_that_waits_for_its_turn_is_not_put_back() -> None:
    device = new_device()
    first, second = new_upgrade(device), new_upgrade(device)

    with pytest.raises(TargetBusy) as refused:
        recover_upgrade(upgrade=second, actor=PORTAL)

    assert refused.value.holder == str(first.pk)
    assert second.events.count() == 1


def test_an_upgrade_that_no_worker_carries_out_is_not_put_back() -> None:
    upgrade = new_upgrade()
    upgrade.executor = Upgrade.Executor.DEVICE
    upgrade.save()

    with pytest.raises(Refused, match="the device's part"):
        recover_upgrade(upgrade=upgrade, actor=PORTAL)


def test_what_is_over_is_neither_put_back_nor_ended_again() -> None:
    upgrade = finished(new_upgrade())

    with pytest.raises(TooLate):
        recover_upgrade(upgrade=upgrade, actor=PORTAL)
    with pytest.raises(TooLate):
        force_cancel_upgrade(upgrade=upgrade, actor=PORTAL, reason="It hangs")


@pytest.mark.parametrize(
    ("state", "outcome"),
    [
        (State.PENDING, "cancelled"),
        (State.DOWNLOADING, "cancelled"),
        (State.INSTALLING, "broken"),
        (State.ROLLING_BACK, "broken"),
    ],
)
def test_an_upgrade_ended_by_force_is_over_and_its_worker_shut_out(
    state: State, outcome: str
) -> None:
    upgrade = new_upgrade()
    journal = brought_to(state, held(upgrade))

    ended = force_cancel_upgrade(upgrade=upgrade, actor=PORTAL, reason="It hangs")

    assert (ended.state, ended.outcome) == (State.FINISHED, outcome)
    entry = AuditEvent.objects.get(action="upgrade.force_cancel")
    assert entry.reason == "It hangs"
    with pytest.raises(LeaseLost):
        journal.take(Event.DONE)


def test_a_forced_end_needs_a_reason_and_its_own_permission() -> None:
    upgrade = new_upgrade()
    nobody = actor_of(User.objects.create_user("nobody"))

    with pytest.raises(Refused, match="Say why"):
        force_cancel_upgrade(upgrade=upgrade, actor=PORTAL, reason="  ")
    with pytest.raises(NotPermitted, match=r"updates\.force_cancel_upgrade"):
        force_cancel_upgrade(upgrade=upgrade, actor=nobody, reason="It hangs")
    with pytest.raises(NotPermitted, match=r"updates\.recover_upgrade"):
        recover_upgrade(upgrade=upgrade, actor=nobody)

    upgrade.refresh_from_db()
    assert upgrade.state == State.PENDING
