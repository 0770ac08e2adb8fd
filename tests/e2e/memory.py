"""How much memory programs take while something goes on."""

from __future__ import annotations

import ctypes
import platform
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.e2e.portal_process import descendants

SAMPLE_SECONDS: Final = 0.05
KIB: Final = 1024
KCMP: Final = {"x86_64": 312, "aarch64": 272}[platform.machine()]
"""The system call's number; Python has no other way to it."""
KCMP_VM: Final = 1
LIBC: Final = ctypes.CDLL(None)


def resident(pid: int) -> int:
    """Bytes in memory of a process and all below it. Pages that several of them share count once (PSS).

    A child between vfork and exec is its parent's memory, and is left out.
    """
    below = descendants(pid)
    own = [pid]
    for each in below:
        if not any(_is_same_memory(each, other) for other in own):
            own.append(each)
    return sum(_share(each) for each in own)


def _is_same_memory(pid: int, other: int) -> bool:
    """kcmp(2). What has ended is nobody's."""
    return bool(LIBC.syscall(KCMP, pid, other, KCMP_VM, 0, 0) == 0)


def _share(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0  # it has just ended
    return sum(int(line.split()[1]) * KIB for line in lines if line.startswith("Pss:"))


class Peaks:
    """The most that each program took, by its name, in bytes."""

    def __init__(self, programs: Mapping[str, int]) -> None:
        self._programs = programs
        self.seen = {name: resident(pid) for name, pid in programs.items()}

    def sample(self) -> None:
        for name, pid in self._programs.items():
            self.seen[name] = max(self.seen[name], resident(pid))


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
