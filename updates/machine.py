"""The one machine that every upgrade runs through, as a table. Pure: no Django, no clock, no device.

A step never chooses its successor. It reports an event, and the table says what comes next. An event without an arrow is a
bug and stops the upgrade loudly (`NoArrow`). The arrows for artifacts are those of the Mender client 5.1, with one deviation:
a Cleanup that fails after a good commit is a success with a warning.

    PENDING .. FINISHED     waits .. over; in between the upgrade is active
    a word after a state    the outcome, decided with that arrow, and never improved later
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from updates.errors import NoArrow


class State(StrEnum):
    PENDING = "pending"
    CHECKING = "checking"
    BACKING_UP = "backing_up"
    DOWNLOADING = "downloading"
    INSTALLING = "installing"
    RESTARTING = "restarting"
    VERIFYING = "verifying"
    COMMITTING = "committing"
    COMMITTED = "committed"
    ROLLING_BACK = "rolling_back"
    ROLLBACK_RESTARTING = "rollback_restarting"
    ROLLBACK_VERIFYING = "rollback_verifying"
    FAILING = "failing"
    CLEANING = "cleaning"
    FINISHED = "finished"


class Event(StrEnum):
    """What a step can report. INTERRUPTED: the device itself was cut, not just our worker. CANCEL: a person asked."""

    DONE = "done"
    NOTHING_TO_DO = "nothing_to_do"
    ALREADY_THERE = "already_there"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    CANCEL = "cancel"


class Outcome(StrEnum):
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    ROLLED_BACK = "rolled_back"
    BROKEN = "broken"
    CANCELLED = "cancelled"


SENTENCES: Final[dict[Outcome, str]] = {
    Outcome.SUCCEEDED: "The change is in place.",
    Outcome.FAILED: "It failed before anything was changed.",
    Outcome.ROLLED_BACK: "It failed, and what was there before is back.",
    Outcome.BROKEN: "It failed, and what was there before is not back: a person is needed.",
    Outcome.CANCELLED: "It was cancelled before anything was changed.",
}


@dataclass(frozen=True, slots=True)
class Arrow:
    """Where an event leads: the next state, and what is decided by going there (None: nothing new).

    `warns`: the upgrade ends as decided before, with the failure kept as a warning.
    `unchanged`: there was nothing to do on the device from the start.
    """

    to: State
    outcome: Outcome | None = None
    warns: bool = False
    unchanged: bool = False


REFUSED: Final = "refused"
"""The cell of a CANCEL that comes too late: an answer for the person who asks, not an arrow."""

# fmt: off
(PENDING, CHECKING, BACKING_UP, DOWNLOADING, INSTALLING, RESTARTING, VERIFYING, COMMITTING, COMMITTED,
 ROLLING_BACK, ROLLBACK_RESTARTING, ROLLBACK_VERIFYING, FAILING, CLEANING, FINISHED) = State
SUCCEEDED, FAILED, ROLLED_BACK, BROKEN, CANCELLED = Outcome
to = Arrow

_ROWS: Final[dict[State, tuple[Arrow | str | None, ...]]] = {
    # state                DONE                      NOTHING_TO_DO             FAILED                    INTERRUPTED             CANCEL
    PENDING:             (to(CHECKING),             None,                     None,                     to(PENDING),            to(FINISHED, CANCELLED)),
    CHECKING:            (to(BACKING_UP),           to(BACKING_UP),           to(CLEANING, FAILED),     to(CHECKING),           to(CLEANING, CANCELLED)),
    BACKING_UP:          (to(DOWNLOADING),          to(DOWNLOADING),          to(CLEANING, FAILED),     to(BACKING_UP),         to(CLEANING, CANCELLED)),
    DOWNLOADING:         (to(INSTALLING),           to(INSTALLING),           to(CLEANING, FAILED),     to(CLEANING, FAILED),   to(CLEANING, CANCELLED)),
    INSTALLING:          (to(RESTARTING),           to(RESTARTING),           to(ROLLING_BACK),         to(ROLLING_BACK),       to(ROLLING_BACK)),
    RESTARTING:          (to(VERIFYING),            to(VERIFYING),            to(ROLLING_BACK),         to(VERIFYING),          to(ROLLING_BACK)),
    VERIFYING:           (to(COMMITTING),           to(COMMITTING),           to(ROLLING_BACK),         to(ROLLING_BACK),       to(ROLLING_BACK)),
    COMMITTING:          (to(COMMITTED),            to(COMMITTED),            to(ROLLING_BACK),         to(ROLLING_BACK),       REFUSED),
    COMMITTED:           (to(CLEANING, SUCCEEDED),  to(CLEANING, SUCCEEDED),  to(FAILING, BROKEN),      to(COMMITTED),          REFUSED),
    ROLLING_BACK:        (to(ROLLBACK_RESTARTING),  to(FAILING, BROKEN),      to(FAILING, BROKEN),      to(ROLLING_BACK),       REFUSED),
    ROLLBACK_RESTARTING: (to(ROLLBACK_VERIFYING),   to(ROLLBACK_VERIFYING),   to(ROLLBACK_VERIFYING),   to(ROLLBACK_VERIFYING), REFUSED),
    ROLLBACK_VERIFYING:  (to(FAILING, ROLLED_BACK), to(FAILING, ROLLED_BACK), to(ROLLBACK_RESTARTING),  to(ROLLBACK_VERIFYING), REFUSED),
    FAILING:             (to(CLEANING),             to(CLEANING),             to(CLEANING, BROKEN),     to(FAILING),            REFUSED),
    CLEANING:            (to(FINISHED),             to(FINISHED),             to(FINISHED, warns=True), to(CLEANING),           REFUSED),
}
# fmt: on

_COLUMNS: Final = (Event.DONE, Event.NOTHING_TO_DO, Event.FAILED, Event.INTERRUPTED, Event.CANCEL)

TRANSITIONS: Final[dict[tuple[State, Event], Arrow | str]] = {
    (state, event): cell
    for state, row in _ROWS.items()
    for event, cell in zip(_COLUMNS, row, strict=True)
    if cell is not None
} | {
    # same artifact, same digest, every module already loaded
    (State.CHECKING, Event.ALREADY_THERE): Arrow(State.CLEANING, Outcome.SUCCEEDED, unchanged=True),
}

REPEAT_LIMIT: Final = 24
"""Entering a state again (a repeat, a rollback reboot that has to be done over, a worker that took over) this often is
allowed; once more and the upgrade is given up on the spot. Mender's clients stop at about 12 rollback reboots: so do we."""

ACTIVE: Final = frozenset(State) - {State.PENDING, State.FINISHED}
CANCELLABLE: Final = frozenset(
    state
    for (state, event), cell in TRANSITIONS.items()
    if event is Event.CANCEL and cell != REFUSED
)
ROLLBACK_STATES: Final = frozenset(
    {State.ROLLING_BACK, State.ROLLBACK_RESTARTING, State.ROLLBACK_VERIFYING}
)
BEFORE_ANY_CHANGE: Final = frozenset(
    {State.PENDING, State.CHECKING, State.BACKING_UP, State.DOWNLOADING}
)

PROGRESS: Final[dict[State, int]] = {
    State.PENDING: 0,
    State.CHECKING: 5,
    State.BACKING_UP: 20,
    State.DOWNLOADING: 40,
    State.INSTALLING: 60,
    State.RESTARTING: 75,
    State.VERIFYING: 80,
    State.COMMITTING: 90,
    State.COMMITTED: 95,
    State.ROLLING_BACK: 80,
    State.ROLLBACK_RESTARTING: 85,
    State.ROLLBACK_VERIFYING: 90,
    State.FAILING: 95,
    State.CLEANING: 97,
    State.FINISHED: 100,
}
"""Percent at which a state starts (20/40/60/80 are those of the self-upgrade document). What is shown never goes back."""

HAPPY_PATH: Final = (
    State.PENDING,
    State.CHECKING,
    State.BACKING_UP,
    State.DOWNLOADING,
    State.INSTALLING,
    State.RESTARTING,
    State.VERIFYING,
    State.COMMITTING,
    State.COMMITTED,
    State.CLEANING,
    State.FINISHED,
)


def arrow(state: State, event: Event) -> Arrow:
    """The arrow for `event` in `state`. NoArrow where the table has none, or has only a refusal."""
    cell = TRANSITIONS.get((state, event))
    if not isinstance(cell, Arrow):
        raise NoArrow(f"no arrow for {event} in {state}")
    return cell


def given_up(state: State, outcome: Outcome | None) -> Outcome:
    """The outcome of an upgrade that is given up in `state`, where `outcome` was decided so far.

    What was decided without any change stays, and where nothing can have been changed yet it is FAILED. Else it is BROKEN.
    """
    if outcome in (Outcome.FAILED, Outcome.CANCELLED):
        return outcome
    is_unchanged = outcome is None and state in BEFORE_ANY_CHANGE
    return Outcome.FAILED if is_unchanged else Outcome.BROKEN


def progress_within(state: State, fraction: float) -> int:
    """Percent when `fraction` (0..1) of `state`'s work is done, on the way to the state that normally follows."""
    start = PROGRESS[state]
    follower = arrow(state, Event.DONE).to if state is not State.FINISHED else state
    return start + round((PROGRESS[follower] - start) * min(max(fraction, 0.0), 1.0))
