"""What a Shell is built on: a way to start the one program `sh` on a device, and to move bytes to and from it.

Local processes and SSH differ only here. What to send and what it means is the business of `commands`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Moved:
    """What one `move` did. `output` is None when nothing came in time, and empty when nothing can come any more."""

    taken: int
    output: bytes | None


class Stream(Protocol):
    """One program that runs on a device: its input, its output, its end. A broken connection is `DeviceUnreachable`."""

    def move(self, pending: memoryview, *, wait_seconds: float) -> Moved:
        """As much of `pending` as fits now is on its way, and what the program wrote is handed over.

        Waits up to `wait_seconds` when neither is possible. Input that nobody reads any more counts as taken.
        """
        ...

    def end_input(self) -> None:
        """The program reads an end of file after what was taken."""
        ...

    def status(self) -> int | None:
        """None while it runs, else its exit status (negative: killed by that signal)."""
        ...

    def errors(self) -> bytes:
        """The last 2 KiB of its standard error so far."""
        ...

    def close(self) -> None:
        """Nothing of this stream is open here any more."""
        ...


class Link(Protocol):
    """The way to one device. Opens itself when it is used."""

    def open(self, words: Sequence[str]) -> Stream:
        """The program runs, as the leader of its own session or under a login that makes it one."""
        ...

    def close(self) -> None:
        """Nothing of this link is open any more."""
        ...
