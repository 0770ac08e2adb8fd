"""The group: starts its programs rank by rank, restarts what dies, stops in the opposite order."""

from __future__ import annotations

import selectors
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from portal.supervisor.child import Child
from portal.supervisor.lines import Lines
from portal.supervisor.program import Program
from portal.supervisor.question import STDIN, StopQuestion
from portal.supervisor.signals import Signals

TICK_SECONDS: Final = 0.2
LOST_PATIENCE_SECONDS: Final = 5.0
"""Between the second request to end and SIGKILL."""

Write = Callable[[str, str], None]


class Group:
    """Programs in ranks: a rank starts when the one before is ready, and stops when the one after it has ended.

    `inherited` are file descriptors that every program of the group holds open as long as it lives. `write` gets each
    line of output with the name of who said it. `on_ready` is called once, when every rank is ready.
    """

    def __init__(
        self,
        ranks: Sequence[Sequence[Program]],
        *,
        folder: Path,
        inherited: Sequence[int],
        write: Write,
        on_ready: Callable[[], None],
        question: StopQuestion,
    ) -> None:
        self._ranks = [
            [Child(program, folder=folder, inherited=inherited) for program in rank]
            for rank in ranks
        ]
        self._write = write
        self._on_ready = on_ready
        self._question = question
        self._selector = selectors.DefaultSelector()
        self._started: list[Child] = []
        self._is_ready = False
        self._is_hurried = False

    def run(self) -> None:
        """Returns when somebody asked to stop, and every program has ended."""
        with Signals() as signals, self._selector:
            self._selector.register(signals.fileno(), selectors.EVENT_READ)
            try:
                while not self._is_stop_wanted(signals):
                    self._start_ranks()
                    self._restart_ended()
            finally:
                for rank in reversed(self._ranks):
                    self._stop(rank, signals)
                self._drain()

    def _is_stop_wanted(self, signals: Signals) -> bool:
        """Waits a little; passes output on, and finds out whether to stop."""
        wanted = False
        for key, _ in self._selector.select(TICK_SECONDS):
            if key.fd == signals.fileno():
                wanted = wanted or any(
                    self._question.hear(number) for number in signals.stop_signals()
                )
            elif isinstance(key.data, Lines):
                self._read(key.data)
            elif key.fd == STDIN:
                self._selector.unregister(STDIN)
                wanted = wanted or self._question.answer()
        if self._question.is_open and STDIN not in self._selector.get_map():
            self._selector.register(STDIN, selectors.EVENT_READ)
        return wanted

    def _start_ranks(self) -> None:
        if self._is_ready or not all(child.program.is_ready() for child in self._started):
            return
        waiting = [rank for rank in self._ranks if rank[0] not in self._started]
        if not waiting:
            self._is_ready = True
            self._on_ready()
            return
        for child in waiting[0]:
            self._start(child)
            self._started.append(child)

    def _start(self, child: Child) -> None:
        lines = Lines(child.program.name, child.start(), write=self._write)
        self._selector.register(lines.pipe, selectors.EVENT_READ, lines)

    def _restart_ended(self) -> None:
        for child in self._started:
            ending = child.has_ended()
            if ending is not None:
                pause = child.due_at - time.monotonic()
                self._write(
                    "up", f"{child.program.name} ended with {ending}; again in {pause:.1f} s"
                )
            if child.pid is None and time.monotonic() >= child.due_at:
                self._start(child)

    def _read(self, lines: Lines) -> None:
        if not lines.read():
            self._selector.unregister(lines.pipe)
            lines.pipe.close()

    def _stop(self, rank: Sequence[Child], signals: Signals) -> None:
        """Every program of the rank has ended: asked, asked again, killed."""
        running = [child for child in rank if child.pid is not None]
        if not running:
            return
        self._write("up", f"stopping {', '.join(child.program.name for child in running)}")
        grace = 0.0 if self._is_hurried else max(child.program.grace_seconds for child in running)
        for patience in (grace, LOST_PATIENCE_SECONDS):
            for child in running:
                child.ask_to_end()
            if self._have_ended(running, signals, seconds=patience):
                return
        for child in running:
            self._write("up", f"{child.program.name} does not end: killed")
            child.kill()
        self._have_ended(running, signals, seconds=LOST_PATIENCE_SECONDS)

    def _have_ended(self, running: list[Child], signals: Signals, *, seconds: float) -> bool:
        """Whether all have ended, within the time. A further stop signal makes us impatient: with these and with the rest."""
        deadline = time.monotonic() + seconds
        is_hurried = False
        while running and time.monotonic() < deadline and not is_hurried:
            for key, _ in self._selector.select(TICK_SECONDS):
                if isinstance(key.data, Lines):
                    self._read(key.data)
                elif key.fd == signals.fileno():
                    is_hurried = is_hurried or bool(signals.stop_signals())
            running[:] = [child for child in running if child.has_ended() is None]
        self._is_hurried = self._is_hurried or is_hurried
        return not running

    def _drain(self) -> None:
        """What has been written before the end is passed on; who left the group and still holds a pipe is not waited for."""
        for key in list(self._selector.get_map().values()):
            if isinstance(key.data, Lines):
                self._read(key.data)
                key.data.pipe.close()
