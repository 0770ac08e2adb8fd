"""One program of the group, and the process that runs it now."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Final

from portal.supervisor.bond import bound_to_this_process
from portal.supervisor.program import Program

FIRST_PAUSE_SECONDS: Final = 0.5
LONGEST_PAUSE_SECONDS: Final = 30.0
SETTLED_SECONDS: Final = 60.0
"""Who ran this long had started well: the pauses between its restarts begin anew."""


class Child:
    """Starts its program, sees it end, and says when to start it again."""

    def __init__(self, program: Program, *, folder: Path, inherited: Sequence[int]) -> None:
        self.program = program
        self._folder = folder
        self._inherited = tuple(inherited)
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0
        self._pause = FIRST_PAUSE_SECONDS
        self.due_at = 0.0
        """When to start it (again), on the monotonic clock. Means nothing while it runs."""

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def start(self) -> IO[bytes]:
        """The program runs, leads a process group of its own, and ends when we do. Its output comes from the pipe."""
        self._process = subprocess.Popen(
            self.program.command,
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
            pass_fds=self._inherited,
            process_group=0,  # a Ctrl-C in the terminal is for us alone
            preexec_fn=bound_to_this_process(signal.SIGTERM),  # no threads here
        )
        self._started_at = time.monotonic()
        if self._process.stdout is None:
            raise AssertionError("Popen made no pipe")
        return self._process.stdout

    def has_ended(self) -> str | None:
        """None while it runs, or before its start. How it ended, once: then nothing of its process group is left."""
        if self._process is None or not self._is_zombie(self._process.pid):
            return None
        # Before its number is given back by wait(): nobody else's group can carry it yet.
        self._signal_group(signal.SIGKILL)
        status = self._process.wait()
        self._process = None
        now = time.monotonic()
        if now - self._started_at > SETTLED_SECONDS:
            self._pause = FIRST_PAUSE_SECONDS
        self.due_at = now + self._pause
        self._pause = min(self._pause * 2, LONGEST_PAUSE_SECONDS)
        return f"signal {-status}" if status < 0 else f"status {status}"

    def ask_to_end(self) -> None:
        """SIGTERM to the program itself: what its own children do is its business."""
        if self._process is not None:
            # Not by send_signal, which would take in how it ended, were it over: that is for `has_ended` to tell.
            os.kill(self._process.pid, signal.SIGTERM)

    def kill(self) -> None:
        self._signal_group(signal.SIGKILL)

    def _signal_group(self, number: signal.Signals) -> None:
        if self._process is not None:
            try:
                os.killpg(self._process.pid, number)
            except ProcessLookupError:
                return

    @staticmethod
    def _is_zombie(pid: int) -> bool:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
