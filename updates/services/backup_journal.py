"""The memory of a worker that makes one backup which belongs to no upgrade."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from django.db import InterfaceError, OperationalError

from updates.errors import NoArrow
from updates.machine import Event, State
from updates.models import Backup
from updates.recipes.detached import BACKUP
from updates.runner import Failure, HandOver

FENCE: Final = "fence"
VISIT: Final = 1
"""There is one state, and it is entered once: whoever takes over attaches to what runs."""


class BackupJournal:
    """The runner's Journal for a step that has no machine around it. What it remembers is kept in the backup's row.

    Output and notes are not kept: the row says what became of it.
    """

    def __init__(
        self, backup: Backup, *, limit_seconds: float, wants_leave: Callable[[], bool]
    ) -> None:
        self._backup = backup
        self._ends = time.monotonic() + limit_seconds
        self._wants_leave = wants_leave
        self._heard: dict[str, int] = {}
        self.upgrade = f"{BACKUP}{backup.pk}"
        self.state = State.BACKING_UP
        self.state_seq = VISIT
        self.is_success = False
        self.is_broken = False
        self.trouble: tuple[type[Exception], ...] = (OperationalError, InterfaceError)
        self.fence = int(backup.facts.get(FENCE, 0)) + 1
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
        return self._backup.facts.get(fact)

    def remember(self, fact: str, value: Any) -> None:  # noqa: ANN401 - JSON
        self._backup.facts = {**self._backup.facts, fact: value}
        self._backup.save(update_fields=["facts"])

    def seconds_left(self) -> float:
        return self._ends - time.monotonic()

    def tick(self) -> bool:
        if self._wants_leave():
            raise HandOver
        return False
