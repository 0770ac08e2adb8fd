"""The portal's own processes, as operators run them, over the test's database and Redis."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


class PortalProcess:
    """`manage.py WORDS...`, running in a process group of its own; its output goes to `log`."""

    def __init__(self, *words: str, env: Mapping[str, str], log: Path) -> None:
        self.log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "manage.py", *words],
                cwd=ROOT,
                env={**os.environ, "DJANGO_SETTINGS_MODULE": "portal.settings", **env},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def kill_with_children(self) -> None:
        """SIGKILL to the process and all its descendants at once: nobody gets to say goodbye."""
        for pid in (self.pid, *descendants(self.pid)):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self._process.wait()

    def stop(self, *, seconds: float = 30) -> int:
        """Asked to end; its exit status. Killed when it does not."""
        if self.running:
            self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill_with_children()
            raise


def descendants(pid: int) -> list[int]:
    """All processes below `pid`, as the kernel has them now."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = [int(word) for word in task.read_text().split()]
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended before it was opened, or between that and the reading
        for child in children:
            found += [child, *descendants(child)]
    return found
