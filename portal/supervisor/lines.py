"""The output of a process, line by line."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import IO, Final

LONGEST_LINE_BYTES: Final = 16 * 1024
READ_BYTES: Final = 64 * 1024


class Lines:
    """Reads a pipe and gives each line to `write`, with the name of whoever said it."""

    def __init__(self, name: str, pipe: IO[bytes], *, write: Callable[[str, str], None]) -> None:
        self._name = name
        self.pipe = pipe
        self._write = write
        self._begun = b""
        os.set_blocking(pipe.fileno(), False)

    def read(self) -> bool:
        """What has come is written. False at the end of all output."""
        try:
            data = os.read(self.pipe.fileno(), READ_BYTES)
        except BlockingIOError:
            return True
        *whole, self._begun = (self._begun + data).split(b"\n")
        if self._begun and (not data or len(self._begun) > LONGEST_LINE_BYTES):
            whole.append(self._begun)
            self._begun = b""
        for line in whole:
            self._write(self._name, line.decode(errors="replace"))
        return bool(data)
