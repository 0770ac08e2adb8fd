"""What programs cost: the processor time of a process with all below it, and of the whole machine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from tests.e2e.portal_process import descendants

TICKS_A_SECOND: Final = os.sysconf("SC_CLK_TCK")
NAME_ENDS: Final = ")"
"""In /proc/PID/stat the name may hold blanks; the numbers come after it."""
OWN_AND_REAPED: Final = slice(11, 15)
IDLE: Final = slice(3, 5)


def cpu_seconds(pid: int) -> float:
    """What the process, its descendants and those of them that have ended have used since they began."""
    return sum(_ticks(each) for each in (pid, *descendants(pid))) / TICKS_A_SECOND


def machine_seconds() -> float:
    """What the whole machine has used since it was started, in seconds of one core."""
    numbers = [int(word) for word in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return (sum(numbers) - sum(numbers[IDLE])) / TICKS_A_SECOND


def _ticks(pid: int) -> int:
    try:
        line = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return 0  # Ended since it was found; its parent counts it now.
    numbers = line.rpartition(NAME_ENDS)[2].split()
    return sum(int(word) for word in numbers[OWN_AND_REAPED])
