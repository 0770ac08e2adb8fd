"""Running commands from scripts, and giving up."""

import csv
import os
import shlex
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any, Callable, Iterable, Optional

from agent.reports import SD_DEBUG, set_progress

OnProgress = Callable[[int], None]

FAILED = 2


def run_helper(
    *args: str,
    log_command: bool = True,
    progress_callback: Optional[OnProgress] = None,
    **kwargs: Any,
) -> "subprocess.CompletedProcess[bytes]":
    """The command has ended; its status is in the answer, and is no error here. It wrote to stderr, unless told otherwise.

    `progress_callback` hears what the command reports as its progress, only ever more, and 100 at the end. Other words go to
    subprocess.Popen.
    """
    if log_command:
        print(SD_DEBUG + " ".join(shlex.quote(word) for word in args), file=sys.stderr)
    sys.stderr.flush()
    reading, writing = os.pipe()
    with os.fdopen(reading, encoding="utf-8", errors="replace", newline="") as reports:
        try:
            process = subprocess.Popen(
                args,
                stdout=kwargs.pop("stdout", sys.stderr),
                env=dict(kwargs.pop("env", os.environ), AGENT_COMFD=str(writing)),
                pass_fds=(*kwargs.pop("pass_fds", ()), writing),
                **kwargs,
            )
        finally:
            os.close(writing)
        reached = _follow(reports, progress_callback)
    status = process.wait()
    if progress_callback and reached < 100:
        progress_callback(100)
    return subprocess.CompletedProcess(args, status)


def get_progress_callback(range_low: int, range_high: int) -> OnProgress:
    """For `run_helper`: the command's progress, 0 to 100, is ours from one number to the other."""
    assert_exp(range_low < range_high)

    def report(progress: int) -> None:
        if 0 <= progress <= 100:
            set_progress(range_low + (range_high - range_low) * progress // 100)

    return report


def assert_exp(exp: object, message: str = "Assertion failed") -> None:
    """Nothing, if `exp` is true. Else the script ends here with status 2, and stderr says where and why."""
    if exp:
        return
    print(message, file=sys.stderr)
    traceback.print_stack(sys._getframe(1), file=sys.stderr)
    sys.exit(FAILED)


def slurp_file(file_name: str) -> str:
    """What a file holds, without blanks and line breaks around it."""
    return Path(file_name).read_text(encoding="utf-8").strip()


def _follow(reports: Iterable[str], progress_callback: Optional[OnProgress]) -> int:
    """Reads to the end; the highest progress that was heard, -1 if none."""
    reached = -1
    for words in csv.reader(reports, delimiter=" "):
        is_progress = len(words) == 2 and words[0] == "set-progress" and words[1].isdigit()
        if is_progress and progress_callback and int(words[1]) > reached:
            reached = int(words[1])
            progress_callback(reached)
    return reached
