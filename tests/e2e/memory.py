"""How much memory programs take while something goes on."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.e2e.portal_process import descendants

SAMPLE_SECONDS: Final = 0.05
KIB: Final = 1024


def resident(pid: int) -> int:
    """Bytes in memory of a process and all below it. Pages that several of them share count once (PSS)."""
    return sum(_share(each) for each in (pid, *descendants(pid)))


def _share(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0  # it has just ended
    return sum(int(line.split()[1]) * KIB for line in lines if line.startswith("Pss:"))


class Peaks:
    """The most that each program took for longer than a moment, by its name, in bytes.

    A child between vfork and exec shows its parent's memory once more: what only one of two samples in a row sees does not count.
    """

    def __init__(self, programs: Mapping[str, int]) -> None:
        self._programs = programs
        self._last = {name: resident(pid) for name, pid in programs.items()}
        self.seen = dict(self._last)

    def sample(self) -> None:
        for name, pid in self._programs.items():
            now = resident(pid)
            self.seen[name] = max(self.seen[name], min(now, self._last[name]))
            self._last[name] = now


@contextmanager
def peaks(programs: Mapping[str, int]) -> Iterator[Peaks]:
    """The programs, by name and process id, are watched while the block runs."""
    found = Peaks(programs)
    over = threading.Event()

    def watch() -> None:
        while not over.wait(SAMPLE_SECONDS):
            found.sample()

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield found
    finally:
        over.set()
        watcher.join()
