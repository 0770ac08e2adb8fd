"""Who holds an upgrade, for how long, and what happens when a holder dies or hangs."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connections
from django.utils import timezone
from pytest_django import Settings

from tests.environment.waiting import wait_until
from tests.journal.rows import brought_to, held, let_lapse, new_upgrade, numbers
from updates import lease
from updates.errors import LeaseLost
from updates.journal import DatabaseJournal
from updates.lease import Heartbeat
from updates.machine import REPEAT_LIMIT, Outcome, State
from updates.models import Upgrade, UpgradeEvent

pytestmark = pytest.mark.database


def lease_of(upgrade: Upgrade) -> float | None:
    """Seconds until the lease lapses; None when nobody holds it."""
    upgrade.refresh_from_db()
    if upgrade.lease_until is None:
        return None
    return (upgrade.lease_until - timezone.now()).total_seconds()


def test_a_claim_is_for_one_holder_and_for_the_lease_s_time(settings: Settings) -> None:
    upgrade = new_upgrade()

    assert lease.claim(str(upgrade.pk), worker="worker-1") == 1
    assert lease.claim(str(upgrade.pk), worker="worker-2") is None
    upgrade.refresh_from_db()
    assert (upgrade.worker, upgrade.fence) == ("worker-1", 1)
    assert settings.LEASE_SECONDS - 5 < (lease_of(upgrade) or 0) <= settings.LEASE_SECONDS


def test_a_lapsed_lease_is_claimed_under_a_higher_fence() -> None:
    upgrade = new_upgrade()
    lease.claim(str(upgrade.pk), worker="worker-1")
    let_lapse(upgrade)

    assert lease.claim(str(upgrade.pk), worker="worker-2") == 2
    upgrade.refresh_from_db()
    assert upgrade.worker == "worker-2"


def test_a_released_upgrade_can_be_claimed_at_once() -> None:
    upgrade = new_upgrade()
    lease.claim(str(upgrade.pk), worker="worker-1")

    assert lease.release(str(upgrade.pk), fence=1)
    assert lease.claim(str(upgrade.pk), worker="worker-2") == 2


def test_nobody_releases_what_somebody_else_holds() -> None:
    upgrade = new_upgrade()
    lease.claim(str(upgrade.pk), worker="worker-1")
    let_lapse(upgrade)
    lease.claim(str(upgrade.pk), worker="worker-2")

    assert not lease.release(str(upgrade.pk), fence=1)
    assert lease_of(upgrade) is not None


def test_a_finished_upgrade_is_nobody_s_any_more() -> None:
    upgrade = new_upgrade()
    brought_to(State.FINISHED, held(upgrade))

    assert lease_of(upgrade) is None
    assert lease.claim(str(upgrade.pk), worker="worker-2") is None


@pytest.mark.parametrize("executor", [Upgrade.Executor.DEVICE, Upgrade.Executor.WATCHDOG])
def test_workers_leave_what_others_execute_alone(executor: str) -> None:
    upgrade = new_upgrade()
    Upgrade.objects.filter(pk=upgrade.pk).update(executor=executor)

    assert lease.claim(str(upgrade.pk), worker="worker-1") is None
    assert not lease.claimable(timezone.now()).filter(pk=upgrade.pk).exists()


@pytest.mark.database(transaction=True)
def test_of_many_that_claim_at_once_one_gets_it() -> None:
    upgrade = new_upgrade()
    got: list[int | None] = []
    start = threading.Barrier(6)

    def claim(worker: str) -> None:
        start.wait()
        got.append(lease.claim(str(upgrade.pk), worker=worker))
        connections.close_all()

    threads = [threading.Thread(target=claim, args=(f"worker-{n}",)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(fence for fence in got if fence is not None) == [1]
    assert len(got) == 6


@pytest.mark.database(transaction=True)
def test_a_holder_renews_its_lease_from_a_thread_of_its_own(settings: Settings) -> None:
    settings.HEARTBEAT_SECONDS = 0.02
    upgrade = new_upgrade()
    fence = held(upgrade).fence
    let_lapse(upgrade)

    with Heartbeat(str(upgrade.pk), fence=fence, seconds_left=lambda: 10.0):
        wait_until(lambda: (lease_of(upgrade) or 0) > 0, seconds=5, what="a renewed lease")


@pytest.mark.database(transaction=True)
def test_a_holder_that_hangs_past_its_limit_renews_no_more(settings: Settings) -> None:
    settings.HEARTBEAT_SECONDS = 0.02
    upgrade = new_upgrade()
    fence = held(upgrade).fence
    let_lapse(upgrade)

    late = -(settings.KILL_AFTER_SECONDS + lease.OVERTIME_SECONDS + 1.0)
    beat = Heartbeat(str(upgrade.pk), fence=fence, seconds_left=lambda: late)
    with beat:
        wait_until(lambda: not beat._thread.is_alive(), seconds=5, what="the end of the heartbeat")

    assert (lease_of(upgrade) or 0) < 0
    assert lease.claim(str(upgrade.pk), worker="worker-2") == 2


@pytest.mark.database(transaction=True)
def test_a_heartbeat_never_renews_the_lease_of_the_next_holder(settings: Settings) -> None:
    settings.HEARTBEAT_SECONDS = 0.02
    upgrade = new_upgrade()
    fence = held(upgrade).fence
    let_lapse(upgrade)
    held(upgrade, worker="worker-2")
    let_lapse(upgrade)

    beat = Heartbeat(str(upgrade.pk), fence=fence, seconds_left=lambda: 10.0)
    with beat:
        wait_until(lambda: not beat._thread.is_alive(), seconds=5, what="the end of the heartbeat")

    assert (lease_of(upgrade) or 0) < 0


def test_a_holder_of_what_waited_long_is_not_taken_for_one_that_hangs() -> None:
    """A waiting upgrade has no step, so it has no time limit either."""
    upgrade = new_upgrade()
    Upgrade.objects.filter(pk=upgrade.pk).update(
        state_entered_at=timezone.now() - timedelta(days=2)
    )

    assert held(upgrade).seconds_left() > 0


def test_whoever_resumes_has_what_is_left_of_the_state_s_time(settings: Settings) -> None:
    settings.STATE_LIMIT_SECONDS = {**settings.STATE_LIMIT_SECONDS, "installing": 100}
    upgrade = new_upgrade()
    brought_to(State.INSTALLING, held(upgrade))
    entered = timezone.now() - timedelta(seconds=3600)
    Upgrade.objects.filter(pk=upgrade.pk).update(
        state_entered_at=entered, lease_until=entered + timedelta(seconds=40)
    )

    left = held(upgrade, worker="worker-2").seconds_left()

    assert 55 < left <= 60, "40 seconds were used; the hour in which nobody held it does not count"


def test_a_hand_over_stops_the_state_s_clock(settings: Settings) -> None:
    settings.STATE_LIMIT_SECONDS = {**settings.STATE_LIMIT_SECONDS, "installing": 100}
    upgrade = new_upgrade()
    journal = brought_to(State.INSTALLING, held(upgrade))
    entered = timezone.now() - timedelta(seconds=7200)
    assert lease.release(str(upgrade.pk), fence=journal.fence)
    Upgrade.objects.filter(pk=upgrade.pk).update(
        state_entered_at=entered, unheld_since=entered + timedelta(seconds=30)
    )

    assert 65 < held(upgrade, worker="worker-2").seconds_left() <= 70


def test_taking_over_is_on_record_and_counts_as_a_repeat() -> None:
    upgrade = new_upgrade()
    brought_to(State.INSTALLING, held(upgrade))
    let_lapse(upgrade)
    held(upgrade, worker="worker-2").took_over(worker="worker-2")

    upgrade.refresh_from_db()
    assert upgrade.repeats == 1
    assert upgrade.state == State.INSTALLING
    note = upgrade.events.filter(kind=UpgradeEvent.Kind.NOTE).get()
    assert note.text == "worker-2 took over in installing."


@pytest.mark.parametrize(
    ("state", "outcome"),
    [
        (State.CHECKING, Outcome.FAILED),
        (State.DOWNLOADING, Outcome.FAILED),
        (State.INSTALLING, Outcome.BROKEN),
    ],
)
def test_workers_that_keep_dying_end_it(state: State, outcome: Outcome) -> None:
    """A person is needed for the device only if something can have been changed there."""
    upgrade = new_upgrade()
    brought_to(state, held(upgrade))
    for number in range(REPEAT_LIMIT + 1):
        let_lapse(upgrade)
        held(upgrade).took_over(worker=f"worker-{number}")

    upgrade.refresh_from_db()
    assert (upgrade.state, upgrade.outcome) == (State.FINISHED, outcome)
    assert upgrade.error
    assert numbers(upgrade)[-1] == upgrade.last_seq


def test_a_journal_opens_for_the_holder_only() -> None:
    upgrade = new_upgrade()
    fence = held(upgrade).fence

    with pytest.raises(LeaseLost):
        DatabaseJournal(str(upgrade.pk), fence=fence + 1)
    with pytest.raises(LeaseLost):
        DatabaseJournal(str(upgrade.pk), fence=fence - 1)
