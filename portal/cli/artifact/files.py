"""Files that the verbs without a database read and write: whatever goes wrong with them is one sentence."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from django.core.management.base import CommandError

KEY_LIMIT_BYTES: Final = 64 * 1024


@contextmanager
def told(doing: str) -> Iterator[None]:
    """What the operating system refuses inside the block is a CommandError that names the file, or else `doing`."""
    try:
        yield
    except OSError as error:
        what = error.filename or doing
        raise CommandError(f"{what} cannot be used: {error.strerror}.") from None


@contextmanager
def replaced(path: Path) -> Iterator[BinaryIO]:
    """What is written inside the block stands at `path` afterwards, in one piece; after a failure nothing has changed there."""
    target = path.resolve()
    part = target.with_name(f".{uuid.uuid4().hex}.part")
    try:
        with part.open("xb") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def content_of(path: Path, *, limit_bytes: int) -> bytes:
    """The file's content, or its first `limit_bytes` + 1 bytes: enough for who refuses it to see that it is too large."""
    with path.open("rb") as file:
        return file.read(limit_bytes + 1)
