"""Where an upgrade stands among all states, and where it could go from here: read off the machine's own table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from updates.machine import REFUSED, TRANSITIONS, Arrow, Event, Outcome, State, arrow
from updates.models import Upgrade, UpgradeEvent


@dataclass(frozen=True, slots=True)
class Place:
    """One state on the map. `position` is past, here, ahead or apart; `went_wrong` marks the state that failed."""

    label: str
    state: State
    position: str
    went_wrong: bool


@dataclass(frozen=True, slots=True)
class Way:
    """What leads away from the present state: an event in words, and what comes of it."""

    event: str
    leads_to: str


@dataclass(frozen=True, slots=True)
class StateMap:
    """The way forward, the way back, and the ways that lead on from the present state (none at the end)."""

    forward: list[Place]
    back: list[Place]
    ways: list[Way]


EVENTS: Final = {
    Event.DONE: "When it is done",
    Event.FAILED: "If it fails",
    Event.INTERRUPTED: "If the device is cut off",
    Event.CANCEL: "If you cancel",
}


def label_of(state: str) -> str:
    """A state as people say it."""
    return "Over" if state == State.FINISHED else state.replace("_", " ").capitalize()


def forward_states() -> list[State]:
    """The way of an upgrade in which every step is done."""
    return _done_from(State.PENDING)


def back_states() -> list[State]:
    """The way back: from where the first failure leaves the way forward, until it comes back to it."""
    forward = forward_states()
    leaves = next(
        cell.to
        for (_, event), cell in TRANSITIONS.items()
        if event is Event.FAILED and isinstance(cell, Arrow) and cell.to not in forward
    )
    return [state for state in _done_from(leaves) if state not in forward]


def map_of(upgrade: Upgrade) -> StateMap:
    """The map with this upgrade on it: what it went through, where it is, and what is ahead of it."""
    arrows = upgrade.events.filter(kind=UpgradeEvent.Kind.ARROW)
    visited = {State(word) for word in arrows.values_list("to_state", flat=True)}
    current = State(upgrade.state)
    ahead = set(_done_from(current)) - {current}
    places = {
        state: _place(upgrade, state, visited=visited, ahead=ahead)
        for state in [*forward_states(), *back_states()]
    }
    return StateMap(
        forward=[places[state] for state in forward_states()],
        back=[places[state] for state in back_states()],
        ways=_ways(current),
    )


def _done_from(state: State) -> list[State]:
    way = [state]
    while way[-1] is not State.FINISHED:
        way.append(arrow(way[-1], Event.DONE).to)
    return way


def _place(upgrade: Upgrade, state: State, *, visited: set[State], ahead: set[State]) -> Place:
    is_end = state is State.FINISHED and upgrade.state == State.FINISHED
    if is_end and upgrade.outcome == Outcome.SUCCEEDED:
        position = "past"
    elif state == upgrade.state:
        position = "here"
    elif state in ahead:
        position = "ahead"
    else:
        position = "past" if state in visited else "apart"
    return Place(
        label=label_of(state),
        state=state,
        position=position,
        went_wrong=upgrade.error_state == state
        or (is_end and upgrade.outcome in (Outcome.BROKEN, Outcome.FAILED)),
    )


def _ways(state: State) -> list[Way]:
    ways = []
    for event, words in EVENTS.items():
        cell = TRANSITIONS.get((state, event))
        if isinstance(cell, Arrow):
            ways.append(Way(words, _says(state, cell)))
        elif cell == REFUSED:
            ways.append(Way(words, "too late for that"))
    return ways


def _says(state: State, cell: Arrow) -> str:
    where = "the same again" if cell.to is state else label_of(cell.to).lower()
    decided = f" ({cell.outcome.replace('_', ' ')})" if cell.outcome else ""
    return where + decided
