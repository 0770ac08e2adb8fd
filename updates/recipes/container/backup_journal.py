"""The memory of whoever makes one backup which belongs to no upgrade: a worker, or the portal's watchdog."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from updates.errors import NoArrow
from updates.machine import Event, State
from updates.recipes.detached import BACKUP
from updates.runner import Failure, HandOver

FENCE: Final = "fence"
VISIT: Final = 1
"""There is one state, and it is entered once: whoever takes over attaches to what runs."""


class BackupJournal:
    """The runner's Journal for a step that has no machine around it. `keep` writes down all `facts` that it remembers.

    `trouble` is what `keep` raises when that cannot be written. Output and notes are not kept: what became of the backup says
    it all.
    """

    def __init__(
        self,
        backup: int,
        facts: dict[str, Any],
        *,
        keep: Callable[[dict[str, Any]], None],
        trouble: tuple[type[Exception], ...],
        limit_seconds: float,
        wants_leave: Callable[[], bool],
    ) -> None:
        self._facts = facts
        self._keep = keep
        self._ends = time.monotonic() + limit_seconds
        self._wants_leave = wants_leave
        self._heard: dict[str, int] = {}
        self.upgrade = f"{BACKUP}{backup}"
        self.state = State.BACKING_UP
        self.state_seq = VISIT
        self.is_success = False
        self.is_broken = False
        self.trouble = trouble
        self.fence = int(facts.get(FENCE, 0)) + 1
        self.remember(FENCE, self.fence)

    def take(self, event: Event, *, failure: Failure | None = None) -> State:
        raise NoArrow(f"A backup by itself goes through no states ({event}, {failure}).")

    def break_off(self, failure: Failure) -> None:
        raise NoArrow(f"A backup by itself goes through no states ({failure}).")

    def output(self, call: str, data: bytes) -> None:
        self._heard[call] = self.output_stored(call) + len(data)

    def output_stored(self, call: str) -> int:
        return self._heard.get(call, 0)

    def note(self, text: str, *, call: str = "", data: dict[str, Any] | None = None) -> None:
        pass

    def progress(self, fraction: float) -> None:
        pass

    def recall(self, fact: str) -> Any:  # noqa: ANN401 - JSON
        return self._facts.get(fact)

    def remember(self, fact: str, value: Any) -> None:  # noqa: ANN401 - JSON
        self._facts = {**self._facts, fact: value}
        self._keep(self._facts)

    def seconds_left(self) -> float:
        return self._ends - time.monotonic()

    def tick(self) -> bool:
        if self._wants_leave():
            raise HandOver
        return False
