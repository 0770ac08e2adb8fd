"""A journal in memory: a second implementation of the runner's protocol, with its own copy of the rules."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from updates.machine import PROGRESS, REPEAT_LIMIT, Arrow, Event, Outcome, State, arrow, given_up
from updates.runner import Failure


@dataclass(frozen=True, slots=True)
class Taken:
    """One arrow that was taken, and what was known afterwards."""

    state: State
    event: Event
    to: State
    outcome: Outcome | None
    percent: int
    failure: Failure | None
    is_broken_off: bool = False


@dataclass(slots=True)
class MemoryJournal:
    """Everything of one upgrade in lists. `on_tick` decides when a cancel is asked for, and may raise."""

    on_tick: Callable[[MemoryJournal], bool] = lambda _journal: False
    upgrade: str = "upgrade-in-memory"
    fence: int = 1
    state: State = State.PENDING
    state_seq: int = 1
    outcome: Outcome | None = None
    unchanged: bool = False
    warning: Failure | None = None
    percent: int = 0
    repeats: int = 0
    trouble: tuple[type[Exception], ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)
    history: list[Taken] = field(default_factory=list)
    entered: list[State] = field(default_factory=lambda: [State.PENDING])

    @property
    def is_success(self) -> bool:
        return self.outcome is Outcome.SUCCEEDED

    @property
    def is_broken(self) -> bool:
        return self.outcome is Outcome.BROKEN

    def take(self, event: Event, *, failure: Failure | None = None) -> State:
        chosen = arrow(self.state, event)
        if chosen.to in self.entered and self.repeats >= REPEAT_LIMIT:
            end = Arrow(State.FINISHED, given_up(self.state, self.outcome))
            self._move(event, end, failure, is_broken_off=True)
        else:
            self.repeats += chosen.to in self.entered
            self._move(event, chosen, failure)
        return self.state

    def break_off(self, failure: Failure) -> None:
        broken = Arrow(State.FINISHED, Outcome.BROKEN)
        self._move(Event.FAILED, broken, failure, is_broken_off=True)

    def _move(
        self, event: Event, chosen: Arrow, failure: Failure | None, *, is_broken_off: bool = False
    ) -> None:
        before = self.state
        self.state = chosen.to
        self.outcome = chosen.outcome or self.outcome
        self.unchanged = self.unchanged or chosen.unchanged
        self.warning = failure if chosen.warns else self.warning
        self.percent = max(self.percent, PROGRESS[chosen.to])
        self.state_seq += 1
        self.entered.append(chosen.to)
        self.history.append(
            Taken(before, event, chosen.to, self.outcome, self.percent, failure, is_broken_off)
        )

    def output(self, call: str, data: bytes) -> None:
        self.facts[f"output {call}"] = self.facts.get(f"output {call}", b"") + data

    def output_stored(self, call: str) -> int:
        return len(self.facts.get(f"output {call}", b""))

    def note(self, text: str, *, call: str = "", data: dict[str, Any] | None = None) -> None:
        self.facts.setdefault("notes", []).append((text, call, data))

    def progress(self, fraction: float) -> None:
        self.percent = max(self.percent, round(fraction))

    def recall(self, fact: str) -> Any:  # noqa: ANN401 - JSON, as the protocol has it
        return self.facts.get(fact)

    def remember(self, fact: str, value: Any) -> None:  # noqa: ANN401 - JSON, as the protocol has it
        self.facts[fact] = value

    def seconds_left(self) -> float:
        return 60.0

    def tick(self) -> bool:
        return self.on_tick(self)
