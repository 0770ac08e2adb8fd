"""Files that are whole or as they were before, whatever instruction the writer dies at."""

from __future__ import annotations

import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

DRAFT: Final = ".draft-"
LEFT_SECONDS: Final = 3600.0
"""Nobody writes one of these small files for so long."""
PRIVATE: Final = 0o600
PRIVATE_FOLDER: Final = 0o700


def write_whole(path: Path, content: bytes) -> None:
    """`path` holds `content`, also after a power cut. OSError: it is as it was."""
    draft = path.with_name(f"{DRAFT}{path.name}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE)
        with os.fdopen(descriptor, "wb") as file:
            _give_away(descriptor, path.parent)
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        draft.rename(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def read_whole(path: Path, *, most_bytes: int) -> bytes | None:
    """What the file holds; None when there is none. ValueError when it is no file, or a larger one."""
    try:
        # A fifo would be waited for without end, and a link could lead anywhere.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        if not path.is_file():
            raise ValueError(f"{path.name} is no file.")
        content = file.read(most_bytes + 1)
    if len(content) > most_bytes:
        raise ValueError(f"{path.name} is larger than {most_bytes} bytes.")
    return content


def remove(path: Path) -> None:
    """There is no such file, also after a power cut."""
    with suppress(FileNotFoundError):
        path.unlink()
        sync_folder(path.parent)


def move(path: Path, to: Path) -> None:
    """The file is at `to`, also after a power cut. FileNotFoundError when somebody else has moved it."""
    path.rename(to)
    sync_folder(to.parent)
    if path.parent != to.parent:
        sync_folder(path.parent)


def make_folder(path: Path) -> None:
    """The folder is there, and nobody but its owner, who owns the folder above it too, looks in."""
    if path.is_dir():
        return
    path.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        _give_away(descriptor, path.parent)
    finally:
        os.close(descriptor)
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def clear_drafts(folder: Path) -> None:
    """What writers left that died is gone. A younger draft may be somebody's who is writing: the portal writes here, too."""
    for draft in folder.glob(f"{DRAFT}*"):
        with suppress(FileNotFoundError):
            if draft.stat().st_mtime < time.time() - LEFT_SECONDS:
                draft.unlink()


@contextmanager
def locked(path: Path, *, waits: bool) -> Iterator[bool]:
    """Whether the lock is ours, for the length of the block. The kernel frees it when its holder dies."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, PRIVATE)
    try:
        _give_away(descriptor, path.parent)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if waits else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)


def _give_away(descriptor: int, folder: Path) -> None:
    """Root works for whoever owns the folder: the portal has a user of its own, and reads what its watchdog writes."""
    if os.geteuid() == 0:
        above = folder.stat()
        os.fchown(descriptor, above.st_uid, above.st_gid)
