"""Files on the disk: written beside the old ones, then put in their place in one step."""

from __future__ import annotations

import importlib.util
import os
from contextlib import suppress
from pathlib import Path

MARK = ".fleetwright-"


def content(target: Path) -> bytes | None:
    """What is in the file; None if there is none."""
    try:
        return target.read_bytes()
    except FileNotFoundError:
        return None


def write_beside(target: Path, *, data: bytes, mode: int) -> Path:
    """A file with `data` is on the disk in the same folder. OSError: nothing was left there."""
    target.parent.mkdir(parents=True, exist_ok=True)
    _sweep(target)
    beside = target.with_name(f".{target.name}{MARK}{os.getpid()}")
    try:
        with beside.open("wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), mode & 0o777)
            os.fsync(file.fileno())
        with suppress(FileNotFoundError):
            # A compiled copy is taken for that of a file with the same size and second.
            before = int(target.stat().st_mtime)
            if before == int(beside.stat().st_mtime):
                os.utime(beside, (before + 1, before + 1))
    except OSError:
        beside.unlink(missing_ok=True)
        raise
    return beside


def put_in_place(beside: Path | None, target: Path) -> None:
    """`target` is what was written beside it, or is gone, also after a loss of power. No compiled copy of it is left."""
    if beside is None:
        target.unlink(missing_ok=True)
    else:
        beside.replace(target)
    for compiled in _compiled_copies(target):
        with suppress(OSError):
            compiled.unlink(missing_ok=True)
    folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _compiled_copies(target: Path) -> list[Path]:
    if target.suffix != ".py":
        return []
    copies = list((target.parent / "__pycache__").glob(f"{target.stem}.*.pyc"))
    return [*copies, Path(importlib.util.cache_from_source(str(target)))]


def _sweep(target: Path) -> None:
    """What a process that died in the middle left beside `target` is gone."""
    for left in target.parent.glob(f".{target.name}{MARK}*"):
        number = left.name.rpartition("-")[2]
        try:
            os.kill(int(number), 0)
        except (ValueError, ProcessLookupError):
            left.unlink(missing_ok=True)
        except PermissionError:
            continue
