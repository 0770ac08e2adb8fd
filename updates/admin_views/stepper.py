"""Where an upgrade stands among all states: those it went through, and those it would go through from here."""

from __future__ import annotations

from dataclasses import dataclass

from updates.machine import Event, Outcome, State, arrow
from updates.models import Upgrade, UpgradeEvent


@dataclass(frozen=True, slots=True)
class Step:
    """One state on the way. `position` is past, here, or ahead; `went_wrong` marks the state that failed."""

    label: str
    state: State
    position: str
    went_wrong: bool


def steps_of(upgrade: Upgrade) -> list[Step]:
    """Visited states in the order of their first visit, then the way to the end if every step from here is done."""
    arrows = upgrade.events.filter(kind=UpgradeEvent.Kind.ARROW).order_by("seq")
    visited = list(dict.fromkeys(State(word) for word in arrows.values_list("to_state", flat=True)))
    current = State(upgrade.state)
    ahead = _way_from(current)
    states = [state for state in visited if state is not current and state not in ahead]
    return [_step(upgrade, state, position="past") for state in states] + [
        _step(upgrade, state, position="here" if state is current else "ahead")
        for state in [current, *ahead]
    ]


def _way_from(state: State) -> list[State]:
    way: list[State] = []
    while state is not State.FINISHED:
        state = arrow(state, Event.DONE).to
        way.append(state)
    return way


def _step(upgrade: Upgrade, state: State, *, position: str) -> Step:
    is_over = state is State.FINISHED and position == "here"
    return Step(
        label="Over" if state is State.FINISHED else state.replace("_", " ").capitalize(),
        state=state,
        position="past" if is_over and upgrade.outcome == Outcome.SUCCEEDED else position,
        went_wrong=upgrade.error_state == state
        or (is_over and upgrade.outcome in (Outcome.BROKEN, Outcome.FAILED)),
    )
