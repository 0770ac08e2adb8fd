"""The first entry of a volume's tar stream, `./`: owner and mode of the volume itself.

Engines leave it out when they unpack a stream into a directory, and a database refuses a directory that is not its own.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterable, Iterator

_BLOCK = 512


class RootEntry:
    """What a tar stream begins with, noted while it goes by."""

    def __init__(self) -> None:
        self._head = b""

    def noted(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """The same pieces."""
        for piece in chunks:
            if len(self._head) < _BLOCK:
                self._head = (self._head + piece)[:_BLOCK]
            yield piece

    def named(self, name: str) -> bytes:
        """A tar stream of this entry alone, as the directory `name`. Empty if the stream did not begin with one."""
        try:
            entry = tarfile.TarInfo.frombuf(self._head, "utf-8", "surrogateescape")
        except tarfile.HeaderError:
            return b""
        if not entry.isdir() or entry.name not in (".", "./"):
            return b""
        entry.name = name
        return entry.tobuf() + bytes(2 * _BLOCK)
