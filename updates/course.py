"""What an arrow changes in the record of an upgrade: the same for every journal, whatever it writes into. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Final

from updates.machine import (
    BEFORE_ANY_CHANGE,
    CANCELLABLE,
    PROGRESS,
    REPEAT_LIMIT,
    Arrow,
    Event,
    Outcome,
    State,
    arrow,
    given_up,
)
from updates.output import blot_out
from updates.runner import Failure

ENDINGS: Final = frozenset({State.ROLLING_BACK, State.FAILING, State.CLEANING, State.FINISHED})
"""A failure that leads here is the upgrade's; one that leads elsewhere was got over."""

WELL: Final = frozenset({Event.DONE, Event.NOTHING_TO_DO, Event.ALREADY_THERE})
"""A step that ended like this gives way to a cancel: what was cancelled during the download is never installed."""

NO_WAY_BACK: Final = Failure(code="UPD-302", sentence="What it installs cannot be rolled back.")

REPEATED_TOO_OFTEN: Final = Failure(
    code="UPD-301",
    sentence=f"It had to begin a state again more than {REPEAT_LIMIT} times, so it was stopped where it was.",
)


FORCED: Final = "UPD-303"
OVERDUE: Final = "UPD-304"


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an upgrade is. `was_in` answers whether an arrow ever led it into a state; `error` is its first failure."""

    state: State
    outcome: Outcome | None
    progress: int
    repeats: int
    error: str
    was_in: Callable[[State], bool]

    @property
    def is_worn_out(self) -> bool:
        """Once more, and it is given up."""
        return self.repeats >= REPEAT_LIMIT

    def given_up(self) -> Outcome:
        """How it ends if it is given up here."""
        return given_up(self.state, self.outcome)


@dataclass(frozen=True, slots=True)
class Move:
    """An arrow that is taken, on account of what, and why if that was a failure. Nothing in it is secret any more."""

    event: Event
    arrow: Arrow
    failure: Failure | None

    def changes(self, standing: Standing) -> dict[str, Any]:
        """The fields of the record that are others afterwards, but for its times and its numbers."""
        to, failure = self.arrow.to, self.failure
        changes: dict[str, Any] = {
            "state": to.value,
            "progress": max(standing.progress, PROGRESS[to]),
        }
        if self.arrow.outcome:
            changes["outcome"] = self.arrow.outcome.value
        if self.arrow.unchanged:
            changes["unchanged"] = True
        if standing.was_in(to):
            changes["repeats"] = standing.repeats + 1
        if failure and self.arrow.warns:
            changes["warning"] = failure.sentence
        elif failure and to in ENDINGS and not standing.error:
            changes |= {
                "error": failure.sentence,
                "error_code": failure.code,
                "error_state": standing.state.value,
            }
        return changes

    def told(self, standing: Standing) -> dict[str, Any]:
        """The arrow as an event of the history."""
        failure = self.failure
        return {
            "from_state": standing.state.value,
            "event": self.event.value,
            "to_state": self.arrow.to.value,
            "call": failure.call if failure else "",
            "text": failure.sentence if failure else "",
            "data": {"code": failure.code, "output": failure.output} if failure else {},
        }


def move(
    standing: Standing,
    event: Event,
    failure: Failure | None,
    *,
    is_cancel_wanted: Callable[[], bool],
    secrets: Iterable[str],
) -> Move:
    """What is taken on account of `event`. NoArrow when there is no arrow for it.

    A cancel that was accepted is never lost, and who has repeated a state too often is given up.
    """
    chosen = arrow(standing.state, event)
    if chosen.outcome is Outcome.BROKEN and failure is None:
        failure = NO_WAY_BACK
    if standing.state in CANCELLABLE and event in WELL and is_cancel_wanted():
        event, chosen = Event.CANCEL, arrow(standing.state, Event.CANCEL)
    if standing.is_worn_out and standing.was_in(chosen.to):
        return ended(REPEATED_TOO_OFTEN, standing.given_up(), event=event, secrets=secrets)
    return Move(event, chosen, _masked(failure, secrets))


def ended(
    failure: Failure, outcome: Outcome, *, event: Event = Event.FAILED, secrets: Iterable[str]
) -> Move:
    """It is over wherever it was, with this outcome."""
    return Move(event, Arrow(State.FINISHED, outcome), _masked(failure, secrets))


def forced_outcome(state: State, outcome: Outcome | None) -> Outcome:
    """What is true of an upgrade that ends now: what was decided before is never improved, nor worsened."""
    if outcome is not None:
        return outcome
    return Outcome.CANCELLED if state in BEFORE_ANY_CHANGE else Outcome.BROKEN


def _masked(failure: Failure | None, secrets: Iterable[str]) -> Failure | None:
    if failure is None:
        return None
    return replace(
        failure,
        sentence=blot_out(failure.sentence, secrets),
        output=blot_out(failure.output, secrets),
    )
