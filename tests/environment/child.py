"""A server that runs as a child of the test process, and never outlives it."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.environment.waiting import wait_until

STOP_SECONDS = 20
LOG_TAIL_CHARACTERS = 2000


class Child:
    """A running server. Its output goes to a file; `stop` (or the death of the test process) ends it."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        log: Path,
        user: str | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
    ) -> None:
        """Started, not necessarily ready yet. `user`: run as that user, which only root may ask for."""
        self._log = log
        self._stop_signal = stop_signal
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [*_guard(user=user, stop_signal=stop_signal), *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # A Ctrl+C in the terminal is for pytest, which then stops its servers in order.
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def tail(self) -> str:
        """The end of what the server wrote, to be shown when it did not start."""
        return self._log.read_text(errors="replace")[-LOG_TAIL_CHARACTERS:]

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def stop(self) -> None:
        """The server has ended: asked first, killed if it did not listen."""
        self._process.send_signal(self._stop_signal)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """The server was ended without being asked, as in a crash."""
        self._process.kill()
        self._process.wait()

    def wait_until_it_listens(self, socket_path: Path, *, seconds: float) -> None:
        """Its Unix socket takes connections; RuntimeError with the server's last words if it ended instead."""
        wait_until(
            lambda: _takes_connections(socket_path) or not self.running,
            seconds=seconds,
            what=f"{socket_path.name} of {self._process.args!r}",
        )
        if not self.running:
            raise RuntimeError(f"The server ended at once:\n{self.tail()}")


def _takes_connections(socket_path: Path) -> bool:
    """Not so while there is only its name: a server binds before it listens."""
    with socket.socket(socket.AF_UNIX) as asking:
        try:
            asking.connect(str(socket_path))
        except OSError:
            return False
    return True


def _guard(*, user: str | None, stop_signal: signal.Signals) -> list[str]:
    """setpriv makes the kernel stop the server when the test process dies, however that dies."""
    if shutil.which("setpriv") is None:
        return []
    identity = [] if user is None else [f"--reuid={user}", f"--regid={user}", "--init-groups"]
    return ["setpriv", *identity, f"--pdeathsig={stop_signal.name.removeprefix('SIG')}", "--"]
