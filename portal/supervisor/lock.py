"""One group at a time in one folder, and never beside the rest of an earlier one."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from portal.supervisor.errors import CannotStart

LEFTOVERS_SECONDS: Final = 30.0


@contextmanager
def only_group_in(folder: Path) -> Iterator[int]:
    """Nobody else supervises a group in `folder`, and nothing of an earlier group runs any more.

    Gives a file descriptor that the group's programs are to inherit: as long as one of them lives, the lock behind it is
    held, also when this process was killed. CannotStart when another group runs.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _opened(folder / "up.lock") as own, _opened(folder / "programs.lock") as programs:
        if not _take(own):
            raise CannotStart(
                f"`manage.py up` is already running here (in {folder}): stop it first."
            )
        deadline = time.monotonic() + LEFTOVERS_SECONDS
        while not _take(programs):
            if time.monotonic() > deadline:
                raise CannotStart(
                    f"Processes of an earlier `manage.py up` still run in {folder}: wait, or end them."
                )
            time.sleep(0.2)
        yield programs


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _take(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
