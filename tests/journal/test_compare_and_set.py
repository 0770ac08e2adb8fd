"""One writer at a time, and history is what happened."""

from __future__ import annotations

import pytest
from pytest_django import Settings

from tests.journal.rows import (
    arrows,
    brought_to,
    held,
    let_lapse,
    new_device,
    new_upgrade,
    numbers,
    states,
)
from updates.errors import LeaseLost, NoArrow, TargetBusy
from updates.journal import DatabaseJournal, ahead_of
from updates.machine import HAPPY_PATH, Event, Outcome, State
from updates.models import Upgrade
from updates.runner import Failure

pytestmark = pytest.mark.database

FAILURE = Failure(code="UPD-200", sentence="It did not work.", call="ArtifactInstall", output="no")


def fail_to_finish(_finished: Upgrade) -> None:
    raise RuntimeError("the hook failed")


def note_in_passing(finished: Upgrade) -> None:
    assert finished.state == State.FINISHED
    Upgrade.objects.filter(pk=finished.pk).update(worker="seen by the hook")


def test_a_finished_path_is_in_the_history_arrow_by_arrow() -> None:
    upgrade = new_upgrade()
    brought_to(State.FINISHED, held(upgrade))

    upgrade.refresh_from_db()
    assert states(upgrade) == [state.value for state in HAPPY_PATH]
    assert (upgrade.state, upgrade.outcome, upgrade.progress) == ("finished", "succeeded", 100)
    assert upgrade.started_at is not None
    assert upgrade.finished_at is not None
    assert upgrade.lease_until is None


def test_a_second_writer_with_an_old_fence_is_refused_and_leaves_no_trace() -> None:
    upgrade = new_upgrade()
    old = brought_to(State.INSTALLING, held(upgrade))
    let_lapse(upgrade)
    new = held(upgrade, worker="worker-2")
    before = numbers(upgrade)

    for write in (
        lambda: old.take(Event.DONE),
        lambda: old.take(Event.FAILED, failure=FAILURE),
        lambda: old.break_off(FAILURE),
        lambda: old.note("still here"),
        lambda: old.remember("fact", 1),
        lambda: old.progress(1.0),
        lambda: old.took_over(worker="worker-1"),
        lambda: old.output("call", b"x" * 10_000),
    ):
        with pytest.raises(LeaseLost):
            write()

    assert numbers(upgrade) == before
    new.take(Event.DONE)
    assert numbers(upgrade) == [*before, before[-1] + 1]
    upgrade.refresh_from_db()
    assert upgrade.state == State.RESTARTING


def test_a_stale_holder_hears_of_it_at_its_next_tick() -> None:
    upgrade = new_upgrade()
    old = brought_to(State.INSTALLING, held(upgrade))
    let_lapse(upgrade)
    held(upgrade, worker="worker-2")

    with pytest.raises(LeaseLost):
        old.tick()


def test_a_writer_that_expects_another_state_is_refused() -> None:
    """Twice the same fence cannot be, but if it could, one event would still be the only one."""
    upgrade = new_upgrade()
    first = brought_to(State.INSTALLING, held(upgrade))
    twin = DatabaseJournal(first.upgrade, fence=first.fence)
    first.take(Event.DONE)
    before = numbers(upgrade)

    with pytest.raises(LeaseLost):
        twin.take(Event.DONE)
    assert numbers(upgrade) == before


def test_an_event_without_an_arrow_writes_nothing() -> None:
    upgrade = new_upgrade()
    journal = brought_to(State.COMMITTING, held(upgrade))
    before = numbers(upgrade)

    with pytest.raises(NoArrow):
        journal.take(Event.CANCEL)
    assert numbers(upgrade) == before


def test_a_failing_hook_takes_back_the_end_and_its_event(settings: Settings) -> None:
    settings.UPGRADE_FINISHED = [f"{__name__}.note_in_passing", f"{__name__}.fail_to_finish"]
    upgrade = new_upgrade()
    journal = brought_to(State.CLEANING, held(upgrade))
    before = numbers(upgrade)

    with pytest.raises(RuntimeError, match="the hook failed"):
        journal.take(Event.DONE)

    upgrade.refresh_from_db()
    assert upgrade.state == State.CLEANING
    assert upgrade.worker == "worker-1"
    assert upgrade.finished_at is None
    assert numbers(upgrade) == before


def test_hooks_run_once_in_the_transaction_that_finishes(settings: Settings) -> None:
    settings.UPGRADE_FINISHED = [f"{__name__}.note_in_passing"]
    upgrade = new_upgrade()
    brought_to(State.FINISHED, held(upgrade))

    upgrade.refresh_from_db()
    assert upgrade.worker == "seen by the hook"


def test_an_active_target_is_busy_for_the_next_one_and_names_its_holder() -> None:
    device = new_device()
    first, second = new_upgrade(device), new_upgrade(device)
    brought_to(State.CHECKING, held(first))

    with pytest.raises(TargetBusy) as busy:
        held(second).take(Event.DONE)

    assert busy.value.holder == str(first.pk)
    second.refresh_from_db()
    assert second.state == State.PENDING
    assert numbers(second) == [1]


def test_the_database_itself_refuses_a_second_active_upgrade(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two that both found the way free: the constraint decides, and the loser learns who holds the target."""
    device = new_device()
    second, first = new_upgrade(device), new_upgrade(device)
    waiting = held(second)
    Upgrade.objects.filter(pk=first.pk).update(state=State.INSTALLING)
    answers = iter([None, first])
    monkeypatch.setattr("updates.journal.database.ahead_of", lambda _upgrade: next(answers))

    with pytest.raises(TargetBusy) as busy:
        waiting.take(Event.DONE)
    assert busy.value.holder == str(first.pk)
    assert numbers(second) == [1]


def test_waiting_upgrades_take_their_turn_in_the_order_of_their_orders() -> None:
    device = new_device()
    first, second, third = new_upgrade(device), new_upgrade(device), new_upgrade(device)

    assert ahead_of(first) is None
    assert ahead_of(second) == first
    assert ahead_of(third) == first
    with pytest.raises(TargetBusy):
        held(third).take(Event.DONE)
    brought_to(State.FINISHED, held(first))
    assert ahead_of(second) is None
    assert ahead_of(third) == second


def test_upgrades_of_other_devices_do_not_wait() -> None:
    brought_to(State.INSTALLING, held(new_upgrade()))
    other = new_upgrade()

    assert ahead_of(other) is None
    assert held(other).take(Event.DONE) is State.CHECKING


def test_the_first_failure_is_the_error_and_later_ones_do_not_replace_it() -> None:
    upgrade = new_upgrade()
    journal = brought_to(State.INSTALLING, held(upgrade))
    journal.take(Event.FAILED, failure=FAILURE)
    journal.take(Event.FAILED, failure=Failure(code="UPD-999", sentence="Nor did the way back."))
    brought_to(State.FINISHED, journal)

    upgrade.refresh_from_db()
    assert upgrade.outcome == Outcome.BROKEN
    assert (upgrade.error, upgrade.error_code) == ("It did not work.", "UPD-200")
    assert upgrade.error_state == State.INSTALLING
    assert [row.text for row in upgrade.events.exclude(data={}).order_by("seq")] == [
        "It did not work.",
        "Nor did the way back.",
    ]


def test_a_failure_that_was_got_over_is_not_the_error() -> None:
    upgrade = new_upgrade()
    journal = brought_to(State.ROLLBACK_VERIFYING, held(upgrade))
    journal.take(Event.FAILED, failure=Failure(code="UPD-200", sentence="Not yet."))
    brought_to(State.FINISHED, journal)

    upgrade.refresh_from_db()
    assert upgrade.outcome == Outcome.ROLLED_BACK
    assert upgrade.error == ""


def test_a_failing_cleanup_after_a_good_commit_is_a_warning() -> None:
    upgrade = new_upgrade()
    brought_to(State.CLEANING, held(upgrade)).take(Event.FAILED, failure=FAILURE)

    upgrade.refresh_from_db()
    assert upgrade.outcome == Outcome.SUCCEEDED
    assert upgrade.warning == "It did not work."
    assert upgrade.error == ""


def test_every_end_that_is_broken_says_why() -> None:
    """Cancelled while it was installed, and the payload knows no way back: nobody failed, yet a person is needed."""
    upgrade = new_upgrade()
    journal = brought_to(State.INSTALLING, held(upgrade))
    journal.take(Event.CANCEL)
    journal.take(Event.NOTHING_TO_DO)
    brought_to(State.FINISHED, journal)

    upgrade.refresh_from_db()
    assert upgrade.outcome == Outcome.BROKEN
    assert upgrade.error
    assert upgrade.error_state == State.ROLLING_BACK


def test_progress_is_monotone_over_a_rollback_and_over_workers() -> None:
    upgrade = new_upgrade()
    seen = []

    def look() -> None:
        upgrade.refresh_from_db()
        seen.append(upgrade.progress)

    journal = brought_to(State.COMMITTING, held(upgrade))
    look()
    journal.take(Event.FAILED, failure=FAILURE)
    for fraction in (0.5, 0.1, 1.0):
        journal.progress(fraction)
        look()
    let_lapse(upgrade)
    brought_to(State.FINISHED, held(upgrade, worker="worker-2"))
    look()

    assert seen == sorted(seen)
    assert seen[-1] == 100


def test_progress_within_a_state_is_shown() -> None:
    upgrade = new_upgrade()
    journal = brought_to(State.DOWNLOADING, held(upgrade))
    journal.progress(0.5)

    upgrade.refresh_from_db()
    assert upgrade.progress == 50


def test_facts_outlive_the_worker_that_remembered_them() -> None:
    upgrade = new_upgrade()
    first = brought_to(State.INSTALLING, held(upgrade))
    first.remember("tree", "/a")
    let_lapse(upgrade)

    second = held(upgrade, worker="worker-2")
    assert second.recall("tree") == "/a"
    assert second.recall("nothing") is None


def test_repeats_end_broken_at_the_limit() -> None:
    upgrade = new_upgrade()
    journal = brought_to(State.ROLLING_BACK, held(upgrade))
    while journal.state is State.ROLLING_BACK:
        journal.take(Event.INTERRUPTED, failure=FAILURE)

    upgrade.refresh_from_db()
    assert (upgrade.state, upgrade.outcome) == (State.FINISHED, Outcome.BROKEN)
    assert upgrade.repeats == 24
    assert arrows(upgrade)[-1] == (State.ROLLING_BACK, Event.INTERRUPTED, State.FINISHED)
    assert "more than 24 times" in upgrade.events.order_by("seq").last().text  # type: ignore[union-attr]
