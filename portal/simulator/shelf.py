"""The artifacts that the fleet was sent: each is read once in whole, however many devices download it."""

from __future__ import annotations

import threading
from typing import IO, Final

from portal.simulator.errors import Unexpected
from updates.errors import ArtifactRefused
from updates.formats.mender_artifact import ArtifactDescription, read_artifact

KEPT: Final = 100


class Shelf:
    """What artifacts say, by the SHA-256 of their bytes. Any thread may ask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._read: dict[str, ArtifactDescription] = {}

    def description(self, digest: str, content: IO[bytes]) -> ArtifactDescription:
        """What the artifact with this digest says, all its checksums right. Unexpected when `content` is none.

        So every device's copy was checked: it is the bytes of one that was read to the end.
        """
        with self._lock:
            if digest not in self._read:
                content.seek(0)
                try:
                    found = read_artifact(content)  # type: ignore[arg-type]  # reads it, no more
                except ArtifactRefused as error:
                    raise Unexpected(f"download: no artifact: {error}") from error
                while len(self._read) >= KEPT:
                    del self._read[next(iter(self._read))]
                self._read[digest] = found
            return self._read[digest]
