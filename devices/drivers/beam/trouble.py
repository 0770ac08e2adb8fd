"""What keeps a node from answering, raised inside this package; at its edge it becomes a NodeReport."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from devices.drivers.beam.terms import TermDamaged
from devices.drivers.nodes import Trouble
from devices.errors import DeviceError


class NodeTroubled(DeviceError):
    """The node gave no answer. The sentence carries no secret."""

    def __init__(self, sentence: str, *, reason: Trouble) -> None:
        super().__init__(sentence)
        self.reason = reason


@contextmanager
def read_answer() -> Iterator[None]:
    """The node's answer is decoded inside: `NodeTroubled` when it cannot be read."""
    try:
        yield
    except TermDamaged as error:
        raise NodeTroubled(
            f"The node's answer cannot be read: {error}", reason=Trouble.PROTOCOL
        ) from None
