"""What happens before the portal is stopped: it is asked to let go of what it has in hand, and given time for that."""

from __future__ import annotations

import json
import time
from typing import Final

from devices.drivers.engine import Engine
from updates.machine import State
from updates.plan import ContainerPlan
from updates.runner import Context
from updates.watchdog.durable import read_whole
from updates.watchdog.folder import Folder
from updates.watchdog.limits import DRAIN_SECONDS

LOOK_SECONDS: Final = 0.5
MOST_BYTES: Final = 4096

CLOSED: Final = frozenset(
    {
        State.INSTALLING,
        State.RESTARTING,
        State.VERIFYING,
        State.COMMITTING,
        State.ROLLING_BACK,
        State.ROLLBACK_RESTARTING,
        State.ROLLBACK_VERIFYING,
    }
)
"""While its own upgrade is in one of these, the portal takes nothing in: it might have to be forgotten again."""


class Drain:
    """Waits for the portal. It reads from the upgrade's file that it is to drain: INSTALLING has begun."""

    def __init__(self, plan: ContainerPlan, engine: Engine, folder: Folder) -> None:
        self._plan = plan
        self._engine = engine
        self._folder = folder

    def __call__(self, context: Context) -> None:
        """The portal has nothing in hand any more, or had its time, or does not run."""
        end = time.monotonic() + DRAIN_SECONDS
        while not self._is_drained():
            context.tick()
            if not self._runs():
                return
            if time.monotonic() > end:
                context.journal.note(
                    f"The portal did not say within {DRAIN_SECONDS:.0f} s that nothing is in its hands. "
                    "What is will be taken up again after the upgrade."
                )
                return
            time.sleep(LOOK_SECONDS)
        context.journal.note("The portal takes nothing in any more, and has nothing in its hands.")

    def _runs(self) -> bool:
        found = (self._engine.containers.named(name) for name in self._plan.containers)
        return any(one is not None and one.state == "running" for one in found)

    def _is_drained(self) -> bool:
        try:
            content = read_whole(self._folder.drained, most_bytes=MOST_BYTES)
            said = json.loads(content) if content else None
        except (OSError, ValueError):
            return False
        return isinstance(said, dict) and said.get("upgrade") == self._plan.upgrade
