"""The folder in which one test process keeps everything that its parts write."""

from __future__ import annotations

import os
import shutil
import tempfile
from functools import cache
from pathlib import Path

PREFIX = "fleetwright-"


@cache
def workdir() -> Path:
    """This process's folder, made on first use. Others may pass through it: a server may run as another user.

    The name carries the process id, so that the folders of processes that were killed can be told and are removed.
    The path is short, because a Unix socket's must be.
    """
    root = Path(tempfile.gettempdir())
    for leftover in root.glob(f"{PREFIX}*"):
        if owner_is_dead(leftover.name):
            shutil.rmtree(leftover, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=root))
    folder.chmod(0o711)
    return folder


def remove_workdir() -> None:
    """The folder and all in it are gone; stop what runs in it first."""
    if workdir.cache_info().currsize:
        shutil.rmtree(workdir(), ignore_errors=True)
        workdir.cache_clear()


def owner_is_dead(name: str) -> bool:
    """Whether `name` carries, after its first dash, the id of a process that is no more."""
    process_id = name.split("-")[1] if "-" in name else ""
    if not process_id.isdigit():
        return False
    try:
        os.kill(int(process_id), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
