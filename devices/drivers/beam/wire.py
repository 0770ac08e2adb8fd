"""Frames on a Line, under one deadline: what is frozen, closed or broken is told apart here."""

from __future__ import annotations

import time
from typing import Final

from devices.drivers.beam.trouble import NodeTroubled
from devices.drivers.dial import Dial, Line
from devices.drivers.nodes import Trouble
from devices.errors import DeviceUnreachable

LARGEST_FRAME: Final = 64 * 2**20
_PIECE: Final = 65536


class Deadline:
    """The moment by which something has to be done."""

    def __init__(self, seconds: float) -> None:
        self._at = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds; never less than what still lets a socket be asked."""
        return max(self._at - time.monotonic(), 0.001)

    @property
    def is_over(self) -> bool:
        return time.monotonic() >= self._at


class Wire:
    """A Line on which every wait ends at `deadline`. `when_closed` is what it means when the other end closes it."""

    def __init__(self, line: Line, *, deadline: Deadline, when_closed: NodeTroubled) -> None:
        self._line = line
        self.deadline = deadline
        self.when_closed = when_closed

    def send(self, data: bytes) -> None:
        """`data` is on its way."""
        for at in range(0, len(data), _PIECE):
            self._line.settimeout(self.deadline.left())
            try:
                self._line.sendall(data[at : at + _PIECE])
            except TimeoutError:
                raise timed_out() from None
            except (OSError, EOFError):
                raise self.when_closed from None

    def take(self, size: int) -> bytes:
        """Exactly `size` bytes."""
        pieces: list[bytes] = []
        while size:
            piece = self.some(min(size, _PIECE))
            if not piece:
                raise self.when_closed
            pieces.append(piece)
            size -= len(piece)
        return b"".join(pieces)

    def some(self, size: int) -> bytes:
        """What is there, at most `size`; b"" when the other end has closed."""
        if self.deadline.is_over:
            raise timed_out()
        self._line.settimeout(self.deadline.left())
        try:
            return self._line.recv(size)
        except TimeoutError:
            raise timed_out() from None
        except (OSError, EOFError):
            return b""

    def frame(self, length_bytes: int) -> bytes:
        """The next frame: a length, and as much. One that is too large is no frame of ours."""
        size = int.from_bytes(self.take(length_bytes))
        if size > LARGEST_FRAME:
            raise NodeTroubled(f"The node sends {size} bytes at once.", reason=Trouble.PROTOCOL)
        return self.take(size)

    def close(self) -> None:
        self._line.close()


def timed_out() -> NodeTroubled:
    return NodeTroubled("The node did not answer in time.", reason=Trouble.TIMED_OUT)


def dialled(dial: Dial, *, host: str, port: int, deadline: Deadline) -> Line:
    """A Line, or UNREACHABLE with the Dial's own sentence."""
    try:
        return dial(host, port, deadline.left())
    except DeviceUnreachable as error:
        raise NodeTroubled(str(error), reason=Trouble.UNREACHABLE) from None
