"""Every cell of the machine's table, against a second copy of it that is written in words."""

from __future__ import annotations

import itertools

import pytest

from updates.errors import NoArrow
from updates.machine import (
    ACTIVE,
    BEFORE_ANY_CHANGE,
    CANCELLABLE,
    HAPPY_PATH,
    PROGRESS,
    REFUSED,
    SENTENCES,
    TRANSITIONS,
    Arrow,
    Event,
    Outcome,
    State,
    arrow,
    progress_within,
)

# A word after a colon is the outcome; "." is no arrow, "=" the same state again.
TABLE = """
state              | done                | nothing to do       | failed             | interrupted       | cancel
pending            | checking            | .                   | .                  | =                 | finished: cancelled
checking           | backing_up          | backing_up          | cleaning: failed   | =                 | cleaning: cancelled
backing_up         | downloading         | downloading         | cleaning: failed   | =                 | cleaning: cancelled
downloading        | installing          | installing          | cleaning: failed   | cleaning: failed  | cleaning: cancelled
installing         | restarting          | restarting          | rolling_back       | rolling_back      | rolling_back
restarting         | verifying           | verifying           | rolling_back       | verifying         | rolling_back
verifying          | committing          | committing          | rolling_back       | rolling_back      | rolling_back
committing         | committed           | committed           | rolling_back       | rolling_back      | refused
committed          | cleaning: succeeded | cleaning: succeeded | failing: broken    | =                 | refused
rolling_back       | rollback_restarting | failing: broken     | failing: broken    | =                 | refused
rollback_restarting| rollback_verifying  | rollback_verifying  | rollback_verifying | rollback_verifying| refused
rollback_verifying | failing: rolled_back| failing: rolled_back| rollback_restarting| =                 | refused
failing            | cleaning            | cleaning            | cleaning: broken   | =                 | refused
cleaning           | finished            | finished            | finished, warns    | =                 | refused
"""


def written_cells() -> dict[tuple[State, Event], str]:
    head, *rows = [[cell.strip() for cell in line.split("|")] for line in TABLE.strip().split("\n")]
    events = [Event(word.replace(" ", "_")) for word in head[1:]]
    return {
        (State(row[0]), event): row[0] if cell == "=" else cell
        for row in rows
        for event, cell in zip(events, row[1:], strict=True)
        if cell != "."
    }


def in_words(cell: Arrow | str) -> str:
    if isinstance(cell, str):
        return cell
    outcome = f": {cell.outcome}" if cell.outcome else ""
    return f"{cell.to}{outcome}{', warns' if cell.warns else ''}"


WRITTEN = written_cells()
ALREADY_THERE = (State.CHECKING, Event.ALREADY_THERE)


@pytest.mark.parametrize(("state", "event"), sorted(WRITTEN))
def test_the_machine_has_the_written_arrow(state: State, event: Event) -> None:
    assert in_words(TRANSITIONS[state, event]) == WRITTEN[state, event]


def test_the_machine_has_no_other_arrows() -> None:
    assert set(TRANSITIONS) == set(WRITTEN) | {ALREADY_THERE}


def test_what_is_there_already_is_a_success_that_changed_nothing() -> None:
    assert TRANSITIONS[ALREADY_THERE] == Arrow(State.CLEANING, Outcome.SUCCEEDED, unchanged=True)


@pytest.mark.parametrize(
    ("state", "event"),
    [(state, event) for state in State for event in Event if (state, event) not in TRANSITIONS],
)
def test_an_event_without_an_arrow_is_loud(state: State, event: Event) -> None:
    with pytest.raises(NoArrow):
        arrow(state, event)


@pytest.mark.parametrize(
    "state", [s for s in State if TRANSITIONS.get((s, Event.CANCEL)) == REFUSED]
)
def test_a_refused_cancel_is_no_arrow(state: State) -> None:
    with pytest.raises(NoArrow):
        arrow(state, Event.CANCEL)


def test_what_is_over_has_no_arrows() -> None:
    assert not [event for state, event in TRANSITIONS if state is State.FINISHED]


def test_a_cancel_is_taken_until_the_change_is_being_made_permanent() -> None:
    assert set(HAPPY_PATH[: HAPPY_PATH.index(State.COMMITTING)]) == CANCELLABLE


def test_before_the_installation_nothing_leads_to_a_rollback() -> None:
    for (state, _), cell in TRANSITIONS.items():
        if isinstance(cell, Arrow) and cell.to is State.ROLLING_BACK:
            assert state not in BEFORE_ANY_CHANGE


def test_an_outcome_is_decided_before_the_end_is_reached() -> None:
    """Backwards from the end: whoever gets there without a word got one on the way."""
    undecided = {State.FINISHED}
    for _ in State:
        undecided |= {
            state
            for (state, _), cell in TRANSITIONS.items()
            if isinstance(cell, Arrow) and cell.outcome is None and cell.to in undecided
        }
    assert undecided == {State.FINISHED, State.CLEANING, State.FAILING}
    for (state, event), cell in TRANSITIONS.items():
        if isinstance(cell, Arrow) and cell.to in undecided and state not in undecided:
            assert cell.outcome is not None, (state, event)


def test_the_happy_path_follows_done_and_its_progress_grows() -> None:
    for state, follower in itertools.pairwise(HAPPY_PATH):
        assert arrow(state, Event.DONE).to is follower
        assert PROGRESS[state] < PROGRESS[follower]


def test_active_is_what_has_begun_and_is_not_over() -> None:
    assert {*State} - {State.PENDING, State.FINISHED} == ACTIVE


def test_every_outcome_has_its_sentence() -> None:
    assert set(SENTENCES) == set(Outcome)


@pytest.mark.parametrize("state", list(State))
def test_progress_within_a_state_stays_between_it_and_its_follower(state: State) -> None:
    follower = arrow(state, Event.DONE).to if state is not State.FINISHED else state
    seen = [progress_within(state, fraction) for fraction in (-1.0, 0.0, 0.5, 1.0, 7.0)]

    assert seen == sorted(seen)
    assert (seen[0], seen[-1]) == (PROGRESS[state], PROGRESS[follower])
