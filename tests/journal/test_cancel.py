"""A cancel that was accepted is heard; one that comes too late is refused; nothing in between."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from django.db import connection, connections

from portal.core.errors import FleetwrightError
from tests.journal.rows import brought_to, held, new_upgrade, numbers, states
from updates.errors import LeaseLost, TooLate
from updates.journal import request_cancel
from updates.machine import CANCELLABLE, Event, Outcome, State
from updates.models import Upgrade

pytestmark = pytest.mark.database

ACTIVE_AND_CANCELLABLE = sorted(CANCELLABLE - {State.PENDING})
TOO_LATE = sorted(set(State) - CANCELLABLE)


def test_a_waiting_upgrade_is_over_at_once() -> None:
    upgrade = new_upgrade()

    assert request_cancel(str(upgrade.pk), by="ann") is State.PENDING

    upgrade.refresh_from_db()
    assert (upgrade.state, upgrade.outcome) == (State.FINISHED, Outcome.CANCELLED)
    assert upgrade.cancel_requested_by == "ann"
    assert numbers(upgrade) == [1, 2, 3]


def test_a_worker_that_has_just_claimed_a_waiting_upgrade_loses_it_to_the_cancel() -> None:
    upgrade = new_upgrade()
    journal = held(upgrade)
    request_cancel(str(upgrade.pk), by="ann")

    with pytest.raises(LeaseLost):
        journal.take(Event.DONE)
    assert states(upgrade) == [State.PENDING, State.FINISHED]


@pytest.mark.parametrize("state", ACTIVE_AND_CANCELLABLE)
def test_a_running_upgrade_hears_it_at_the_next_look(state: State) -> None:
    upgrade = new_upgrade()
    journal = brought_to(state, held(upgrade))

    assert not journal.tick()
    request_cancel(str(upgrade.pk), by="ann")
    journal._looked_at = 0.0

    assert journal.tick()


@pytest.mark.parametrize("event", [Event.DONE, Event.NOTHING_TO_DO])
@pytest.mark.parametrize("state", ACTIVE_AND_CANCELLABLE)
def test_a_cancel_that_was_accepted_before_the_step_ended_well_is_not_lost(
    state: State, event: Event
) -> None:
    """Above all before the installation: what was cancelled while it was downloaded is never begun."""
    upgrade = new_upgrade()
    journal = brought_to(state, held(upgrade))
    request_cancel(str(upgrade.pk), by="ann")

    journal.take(event)

    last = upgrade.events.order_by("seq").last()
    assert last is not None
    assert (last.from_state, last.event) == (state, Event.CANCEL)


def test_a_cancel_also_wins_over_being_there_already() -> None:
    upgrade = new_upgrade()
    journal = brought_to(State.CHECKING, held(upgrade))
    request_cancel(str(upgrade.pk), by="ann")

    journal.take(Event.ALREADY_THERE)
    brought_to(State.FINISHED, journal)

    upgrade.refresh_from_db()
    assert (upgrade.outcome, upgrade.unchanged) == (Outcome.CANCELLED, False)


@pytest.mark.parametrize("state", TOO_LATE)
def test_a_cancel_that_comes_too_late_is_refused_and_leaves_no_trace(state: State) -> None:
    upgrade = new_upgrade()
    brought_to(state, held(upgrade))
    before = numbers(upgrade)

    with pytest.raises(TooLate, match=state.value.replace("_", " ")):
        request_cancel(str(upgrade.pk), by="ann")

    upgrade.refresh_from_db()
    assert upgrade.cancel_requested_at is None
    assert numbers(upgrade) == before


def test_asking_twice_is_asking_once() -> None:
    upgrade = new_upgrade()
    brought_to(State.INSTALLING, held(upgrade))
    request_cancel(str(upgrade.pk), by="ann")
    before = numbers(upgrade)

    request_cancel(str(upgrade.pk), by="bob")

    upgrade.refresh_from_db()
    assert upgrade.cancel_requested_by == "ann"
    assert numbers(upgrade) == before


def in_threads(*deeds: Callable[[], object]) -> list[FleetwrightError]:
    """All deeds at once, each on its own connection; what they raised."""
    raised: list[FleetwrightError] = []
    start = threading.Barrier(len(deeds))

    def run(deed: Callable[[], object]) -> None:
        start.wait()
        try:
            deed()
        except FleetwrightError as error:
            raised.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(deed,)) for deed in deeds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


@pytest.mark.database(transaction=True)
def test_many_cancels_and_a_working_journal_leave_no_hole_in_the_numbers() -> None:
    upgrade = new_upgrade()
    journal = brought_to(State.INSTALLING, held(upgrade))

    def work() -> None:
        for number in range(10):
            journal.note(f"note {number}")

    raised = in_threads(
        work, *[lambda: request_cancel(str(upgrade.pk), by="ann") for _ in range(5)]
    )

    assert raised == []
    seen = numbers(upgrade)
    assert seen == list(range(1, len(seen) + 1))
    upgrade.refresh_from_db()
    assert upgrade.last_seq == seen[-1]
    assert upgrade.events.filter(text="ann asked for a cancel.").count() == 1


@pytest.mark.database(transaction=True)
@pytest.mark.parametrize("attempt", range(5))
def test_a_cancel_in_the_last_moment_is_either_refused_or_heard(attempt: int) -> None:
    upgrade = new_upgrade()
    journal = brought_to(State.VERIFYING, held(upgrade))

    raised = in_threads(
        lambda: journal.take(Event.DONE),
        lambda: request_cancel(str(upgrade.pk), by=f"ann, {attempt}"),
    )

    upgrade.refresh_from_db()
    if upgrade.state == State.COMMITTING:
        assert [type(error) for error in raised] == [TooLate]
        assert upgrade.cancel_requested_at is None
    else:
        assert upgrade.state == State.ROLLING_BACK
        assert raised == []


@pytest.mark.database(transaction=True)
@pytest.mark.parametrize("attempt", range(5))
def test_a_cancel_races_with_the_first_arrow_and_one_of_them_wins(attempt: int) -> None:
    upgrade = new_upgrade()
    journal = held(upgrade)

    raised = in_threads(
        lambda: journal.take(Event.DONE),
        lambda: request_cancel(str(upgrade.pk), by=f"ann, {attempt}"),
    )

    upgrade.refresh_from_db()
    if upgrade.state == State.CHECKING:
        assert raised == []
        assert upgrade.cancel_requested_at is not None
    else:
        assert upgrade.state == State.FINISHED
        assert [type(error) for error in raised] == [LeaseLost]


@pytest.mark.database(transaction=True)
def test_asking_for_a_cancel_locks_no_device() -> None:
    """Orders lock the device first and then refer to upgrades: the other order here would be a deadlock."""
    upgrade = new_upgrade()
    brought_to(State.INSTALLING, held(upgrade))
    statements: list[str] = []
    with connection.execute_wrapper(collect_into(statements)):
        request_cancel(str(upgrade.pk), by="ann")

    locking = [statement for statement in statements if "FOR UPDATE" in statement]
    assert locking or connection.vendor == "sqlite"  # which has one lock for everything
    assert not [statement for statement in locking if "JOIN" in statement]


def collect_into(statements: list[str]) -> Callable[..., object]:
    def wrapper(
        execute: Callable[..., object], sql: str, params: object, many: bool, context: object
    ) -> object:
        statements.append(sql)
        return execute(sql, params, many, context)

    return wrapper


def test_cancelling_the_holder_lets_the_next_one_go() -> None:
    first = new_upgrade()
    second = new_upgrade(first.device)
    request_cancel(str(first.pk), by="ann")

    assert held(second).take(Event.DONE) is State.CHECKING
    assert Upgrade.objects.filter(device=first.device, state=State.CHECKING).count() == 1
