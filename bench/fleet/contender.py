"""Who takes part in the comparison."""

from __future__ import annotations

from typing import Protocol

from portal.simulator.tally import Tally


class Contender(Protocol):
    """A server with a fleet that is let in, one artifact older than the next order.

    What a device does is done at once, in the calling thread; any number of threads may drive different devices.
    """

    name: str
    tally: Tally
    """What its devices counted, and how long answers took."""

    def order(self) -> None:
        """Every device of the fleet is to install something new."""

    def update(self, number: int) -> None:
        """The device with this number, from 0 on, has polled, installed what it was offered, and said so."""

    def poll(self, number: int) -> None:
        """The device has asked, and there was nothing to do."""

    def counted(self) -> int:
        """How many successes the server itself says that the latest order has."""

    def server_cpu_seconds(self) -> float:
        """What the server has used so far, its database included."""

    def close(self) -> None:
        """Nothing of it runs any more."""
