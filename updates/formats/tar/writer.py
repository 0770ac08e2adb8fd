"""Tars written member by member: regular files without an owner or a time, so that the same content gives the same bytes."""

from __future__ import annotations

import tarfile
from collections.abc import Iterable

from updates.formats.tar.header import BLOCK_BYTES

END_MARK = bytes(2 * BLOCK_BYTES)
_FILE_MODE = 0o644


def member_header(name: str, *, size: int, mode: int = _FILE_MODE) -> bytes:
    """What stands before the content: 512 bytes, or more where the name has over 100. The size does not change the length."""
    info = tarfile.TarInfo(name)
    info.size = size
    info.mode = mode
    return info.tobuf(format=tarfile.GNU_FORMAT)


def padding(size: int) -> bytes:
    """What stands behind a content of `size` bytes."""
    return bytes(-size % BLOCK_BYTES)


def small_tar(members: Iterable[tuple[str, bytes, int]]) -> bytes:
    """A whole tar of names, contents and modes that are in memory anyway."""
    parts = [
        member_header(name, size=len(content), mode=mode) + content + padding(len(content))
        for name, content, mode in members
    ]
    return b"".join((*parts, END_MARK))
