"""What files of others are read from: a stream of bytes that only goes forward."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Protocol

CHUNK_BYTES = 128 * 1024
"""The most that is asked of a source at once, so that no size written in a file decides what memory we take."""


class ByteSource(Protocol):
    """A binary file, a member of a tar, an unpacked stream."""

    def read(self, size: int, /) -> bytes:
        """Return at least one and at most `size` bytes, or nothing at the end."""


class HashedSource:
    """Hands through what `source` holds and keeps the SHA-256 of all that went through."""

    def __init__(self, source: ByteSource) -> None:
        self._source = source
        self._sha256 = hashlib.sha256()

    def read(self, size: int, /) -> bytes:
        chunk = self._source.read(size)
        self._sha256.update(chunk)
        return chunk

    @property
    def hexdigest(self) -> str:
        return self._sha256.hexdigest()


class ChunkSource:
    """What comes in pieces of any size, as a source. What the pieces' maker raises comes out of `read` unchanged."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._rest = memoryview(b"")

    def read(self, size: int, /) -> bytes:
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return b""
            self._rest = memoryview(chunk)
        taken, self._rest = self._rest[:size], self._rest[size:]
        return bytes(taken)


def take(source: ByteSource, size: int) -> bytes:
    """Return `size` bytes, fewer only where the source ends. Callers have compared `size` with a limit."""
    parts: list[bytes] = []
    missing = size
    while missing:
        chunk = source.read(min(missing, CHUNK_BYTES))
        if not chunk:
            break
        parts.append(chunk)
        missing -= len(chunk)
    return b"".join(parts)
