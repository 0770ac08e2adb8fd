"""Reading a stored file and knowing at the end that it was the very one."""

from __future__ import annotations

import hashlib
from typing import BinaryIO

from updates.errors import StepFailed

CHUNK = 256 * 1024


class DigestReader:
    """Hands a stream's bytes on and counts them into a SHA-256."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        self._digest.update(data)
        return data

    def require(self, sha256: str) -> None:
        """The stream, read to its end now, is the file with this digest. StepFailed if it was changed in the storage."""
        while self.read(CHUNK):
            pass
        if self._digest.hexdigest() != sha256:
            raise StepFailed(
                "The stored artifact is not the one that was uploaded: its digest differs."
            )
