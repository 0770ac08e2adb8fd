"""What keeps a node from answering, raised inside this package; at its edge it becomes a NodeReport."""

from __future__ import annotations

from devices.drivers.nodes import Trouble
from devices.errors import DeviceError


class NodeTroubled(DeviceError):
    """The node gave no answer. The sentence carries no secret."""

    def __init__(self, sentence: str, *, reason: Trouble) -> None:
        super().__init__(sentence)
        self.reason = reason
