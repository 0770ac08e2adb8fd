"""Files of any size that take no room."""

from __future__ import annotations

import io


class MadeUpFile(io.RawIOBase):
    """`size` bytes, made up as they are read. Reading beyond `fails_at` fails, as a client's connection does."""

    def __init__(self, size: int, *, fails_at: int | None = None) -> None:
        self._size = size
        self._fails_at = fails_at
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        self._position = offset + {0: 0, 1: self._position, 2: self._size}[whence]
        return self._position

    def read(self, size: int = -1, /) -> bytes:
        left = max(0, self._size - self._position)
        taken = left if size < 0 else min(size, left)
        if self._fails_at is not None and self._position + taken > self._fails_at:
            raise OSError("the client went away")
        self._position += taken
        return bytes(taken)
