"""Streams to and from an engine: given out to be read later, taken from elsewhere, or two in one."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Iterable, Iterator
from typing import Final

from devices.drivers.engine_wire import Patience
from devices.errors import EngineRefused, EngineUnreachable

STDERR: Final = 2
_ENGINES_OWN: Final = 3
_HEAD: Final = struct.Struct(">BxxxL")
_WORDS: Final = 2000


def given_out(pieces: Iterator[bytes], stack: contextlib.ExitStack) -> Iterator[bytes]:
    """The pieces; `stack` is closed with them, also when nobody takes one of them."""

    def give() -> Iterator[bytes]:
        with stack:
            yield b""
            yield from pieces

    stream = give()
    next(stream)  # begun, or closing it would close nothing
    return stream


def noted(chunks: Iterable[bytes], patience: Patience) -> Iterator[bytes]:
    """The same pieces; what their source raises is not taken for the connection's trouble."""
    try:
        yield from chunks
    except Exception as error:
        patience.raised = error
        raise


def frames(pieces: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """What a process wrote, piece by piece, each with the number of the stream that it wrote to.

    `EngineUnreachable` when it ends in the middle of a frame or is none of this kind; `EngineRefused` when the engine itself has
    something to say in it.
    """
    head, stream, left = b"", 0, 0
    for piece in pieces:
        at = 0
        while at < len(piece):
            taken = piece[at : at + (left or _HEAD.size - len(head))]
            at += len(taken)
            if left:
                left -= len(taken)
                yield stream, _unless_refused(stream, taken)
                continue
            head += taken
            if len(head) == _HEAD.size:
                stream, left = _HEAD.unpack(head)
                head = b""
                if stream > _ENGINES_OWN:
                    raise EngineUnreachable("The engine's stream of a command's output is none.")
    if head or left:
        raise EngineUnreachable("The connection to the Docker Engine broke.")


def _unless_refused(stream: int, taken: bytes) -> bytes:
    if stream == _ENGINES_OWN:
        said = " ".join(taken.decode(errors="replace").split())[:_WORDS].rstrip(".")
        raise EngineRefused(f"The Docker Engine refuses: {said}.", said=said)
    return taken
