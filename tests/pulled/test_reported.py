"""What a device's words lead to: each state, each status, with and without a cancel; and any sequence of them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from updates.course import Standing, move
from updates.machine import ACTIVE, HAPPY_PATH, Event, Outcome, State
from updates.reported import ON_ITS_WAY, Leg, Report, legs_at_poll, legs_of

BEFORE, WANTED = "old", "new"


def _standing(state: State, outcome: Outcome | None = None) -> Standing:
    return Standing(state, outcome, 0, 0, "", was_in=lambda _state: False)


def _walked(standing: Standing, legs: tuple[Leg, ...]) -> Standing:
    """Where the legs lead, by the rules that every journal follows."""
    for leg in legs:
        taken = move(standing, leg.event, leg.failure, is_cancel_wanted=lambda: False, secrets=())
        outcome = taken.arrow.outcome or standing.outcome
        standing = replace(standing, state=taken.arrow.to, outcome=outcome)
    return standing


def _after(state: State, report: Report, *, cancel: bool = False) -> tuple[State, Outcome | None]:
    legs = legs_of(state, report, is_cancel_wanted=cancel)
    standing = _walked(_standing(state), legs)
    return standing.state, standing.outcome


STAYS = None
OVER = State.FINISHED
# fmt: off
TABLE: dict[State, dict[str, tuple[State, Outcome | None] | None]] = {
    # each cell: where it leads, and what is decided with it; STAYS: nothing is taken
    State.CHECKING: {
        "downloading": (State.DOWNLOADING, None),
        "pause_before_installing": (State.DOWNLOADING, None),
        "installing": (State.INSTALLING, None),
        "pause_before_rebooting": (State.INSTALLING, None),
        "rebooting": (State.RESTARTING, None),
        "pause_before_committing": (State.VERIFYING, None),
        "success": (OVER, Outcome.SUCCEEDED),
        "failure": (OVER, Outcome.FAILED),
        "already-installed": (OVER, Outcome.SUCCEEDED),
    },
    State.DOWNLOADING: {
        "downloading": STAYS,
        "pause_before_installing": STAYS,
        "installing": (State.INSTALLING, None),
        "pause_before_rebooting": (State.INSTALLING, None),
        "rebooting": (State.RESTARTING, None),
        "pause_before_committing": (State.VERIFYING, None),
        "success": (OVER, Outcome.SUCCEEDED),
        "failure": (OVER, Outcome.FAILED),
        "already-installed": (OVER, Outcome.SUCCEEDED),
    },
    State.INSTALLING: {
        "downloading": STAYS,
        "pause_before_installing": STAYS,
        "installing": STAYS,
        "pause_before_rebooting": STAYS,
        "rebooting": (State.RESTARTING, None),
        "pause_before_committing": (State.VERIFYING, None),
        "success": (OVER, Outcome.SUCCEEDED),
        "failure": (State.ROLLING_BACK, None),
        "already-installed": (OVER, Outcome.SUCCEEDED),
    },
    State.RESTARTING: {
        "downloading": STAYS,
        "pause_before_installing": STAYS,
        "installing": (State.VERIFYING, None),
        "pause_before_rebooting": STAYS,
        "rebooting": STAYS,
        "pause_before_committing": (State.VERIFYING, None),
        "success": (OVER, Outcome.SUCCEEDED),
        "failure": (State.ROLLING_BACK, None),
        "already-installed": (OVER, Outcome.SUCCEEDED),
    },
    State.VERIFYING: {
        "downloading": STAYS,
        "pause_before_installing": STAYS,
        "installing": STAYS,
        "pause_before_rebooting": STAYS,
        "rebooting": STAYS,
        "pause_before_committing": STAYS,
        "success": (OVER, Outcome.SUCCEEDED),
        "failure": (State.ROLLING_BACK, None),
        "already-installed": (OVER, Outcome.SUCCEEDED),
    },
    **{
        state: {report.value: STAYS for report in Report}
        for state in (State.PENDING, State.ROLLING_BACK, State.ROLLBACK_RESTARTING,
                      State.ROLLBACK_VERIFYING, State.FAILING, State.CLEANING, State.FINISHED)
    },
}
# fmt: on


@pytest.mark.parametrize(
    ("state", "status"), [(state, status) for state, row in TABLE.items() for status in row]
)
def test_each_status_in_each_state(state: State, status: str) -> None:
    assert _after(state, Report(status)) == (TABLE[state][status] or (state, None))


def test_the_table_has_every_status() -> None:
    assert all(set(row) == {report.value for report in Report} for row in TABLE.values())


CANCELLED = (OVER, Outcome.CANCELLED)
GOES_BACK = (State.ROLLING_BACK, None)


@pytest.mark.parametrize(
    ("state", "report", "ends"),
    [
        (State.CHECKING, Report.DOWNLOADING, CANCELLED),
        (State.DOWNLOADING, Report.DOWNLOADING, CANCELLED),
        (State.DOWNLOADING, Report.FAILURE, CANCELLED),
        (State.DOWNLOADING, Report.INSTALLING, GOES_BACK),
        (State.CHECKING, Report.REBOOTING, GOES_BACK),
        (State.INSTALLING, Report.INSTALLING, GOES_BACK),
        (State.RESTARTING, Report.INSTALLING, GOES_BACK),
        (State.VERIFYING, Report.PAUSE_BEFORE_COMMITTING, GOES_BACK),
        (State.VERIFYING, Report.FAILURE, GOES_BACK),
        (State.VERIFYING, Report.SUCCESS, (OVER, Outcome.SUCCEEDED)),
        (State.CHECKING, Report.ALREADY_INSTALLED, (OVER, Outcome.SUCCEEDED)),
    ],
)
def test_a_cancel_ends_it_where_the_device_is_by_now(
    state: State, report: Report, ends: tuple[State, Outcome | None]
) -> None:
    assert _after(state, report, cancel=True) == ends


def test_what_was_not_reported_was_nothing_to_do() -> None:
    legs = legs_of(State.CHECKING, Report.SUCCESS, is_cancel_wanted=False)
    idle = [
        state
        for state, leg in zip(HAPPY_PATH[1:], legs, strict=False)
        if leg.event is Event.NOTHING_TO_DO
    ]
    assert idle == [State.BACKING_UP, State.RESTARTING]


def test_an_unchanged_one_says_so() -> None:
    legs = legs_of(State.CHECKING, Report.ALREADY_INSTALLED, is_cancel_wanted=False)
    assert [leg.event for leg in legs] == [Event.ALREADY_THERE, Event.DONE]


POLLS: list[tuple[State, str, str, tuple[State, Outcome | None]]] = [
    # state, installed, before: where it leads
    (State.CHECKING, "old", "old", (State.CHECKING, None)),
    (State.DOWNLOADING, "old", "old", (State.DOWNLOADING, None)),
    (State.DOWNLOADING, "new", "old", (OVER, Outcome.SUCCEEDED)),
    (State.DOWNLOADING, "new", "new", (State.DOWNLOADING, None)),
    (State.DOWNLOADING, "new_INCONSISTENT", "old", (OVER, Outcome.BROKEN)),
    (
        State.DOWNLOADING,
        "new_INCONSISTENT",
        "new_INCONSISTENT",
        (State.DOWNLOADING, None),
    ),
    (State.INSTALLING, "old", "old", (OVER, Outcome.ROLLED_BACK)),
    (State.INSTALLING, "new", "old", (OVER, Outcome.SUCCEEDED)),
    (State.INSTALLING, "new", "new", (OVER, Outcome.ROLLED_BACK)),
    (State.INSTALLING, "new_INCONSISTENT", "new_INCONSISTENT", (OVER, Outcome.BROKEN)),
    (State.RESTARTING, "old", "old", (OVER, Outcome.ROLLED_BACK)),
    (State.VERIFYING, "new", "old", (OVER, Outcome.SUCCEEDED)),
    (State.VERIFYING, "third", "old", (OVER, Outcome.BROKEN)),
    (State.ROLLING_BACK, "old", "old", (OVER, Outcome.ROLLED_BACK)),
    (State.ROLLING_BACK, "new", "old", (OVER, Outcome.BROKEN)),
    (State.ROLLING_BACK, "new_INCONSISTENT", "old", (OVER, Outcome.BROKEN)),
    (State.ROLLING_BACK, "", "", (OVER, Outcome.ROLLED_BACK)),
    (State.PENDING, "old", "old", (State.PENDING, None)),
    (State.FINISHED, "old", "old", (State.FINISHED, None)),
]


@pytest.mark.parametrize(("state", "installed", "before", "leads_to"), POLLS)
def test_a_device_that_asks_anew_tells_by_what_it_has(
    state: State, installed: str, before: str, leads_to: tuple[State, Outcome | None]
) -> None:
    legs = legs_at_poll(state, installed, before=before, wanted=WANTED)
    standing = _walked(_standing(state), legs)
    assert (standing.state, standing.outcome) == leads_to


SAID = st.tuples(st.just("says"), st.sampled_from(Report))
ASKED = st.tuples(st.just("has"), st.sampled_from(["old", "new", "third", "new_INCONSISTENT", ""]))
ORDERED = st.tuples(st.just("cancel"), st.none())


@given(st.lists(st.one_of(SAID, ASKED, ORDERED), max_size=25))
def test_no_sequence_of_words_leads_back_or_makes_an_outcome_better(
    words: list[tuple[str, Report | str | None]],
) -> None:
    standing, cancel = _standing(State.CHECKING), False
    for kind, word in words:
        legs: tuple[Leg, ...] = ()
        if kind == "cancel":
            cancel = True
        elif isinstance(word, Report):
            legs = legs_of(standing.state, word, is_cancel_wanted=cancel)
        elif isinstance(word, str):
            legs = legs_at_poll(standing.state, word, before=BEFORE, wanted=WANTED)
        after = _walked(standing, legs)
        if standing.outcome is not None:
            assert after.outcome is standing.outcome
        if standing.state in ON_ITS_WAY and after.state in ON_ITS_WAY:
            assert HAPPY_PATH.index(after.state) >= HAPPY_PATH.index(standing.state)
        assert after.state not in {State.FAILING, State.CLEANING, State.COMMITTING}
        assert standing.state in ACTIVE or after == standing
        standing = after
