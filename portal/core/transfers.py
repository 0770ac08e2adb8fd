"""Large files on their way in or out: each takes a thread of the web server, for as long as the other side takes.

So there is a bound to how many there are at once. Whoever comes then is asked to come again, and pages always find a thread.
Devices that pull must not be asked that, since some of their clients take it for the end of their update. So a place is promised
to each before it is sent for its file; and if it finds none after all, as in another process of the web server, it waits a while.
"""

from __future__ import annotations

import threading
import time
from typing import Final

from django.conf import settings

from portal.core.errors import PortalBusy

RETRY_SECONDS: Final = 30
PROMISE_SECONDS: Final = 15.0
"""As long a place is kept for whoever was sent for a file, and has not come yet."""
WAIT_SECONDS: Final = 10.0
SENTENCE: Final = "Too many files are being sent just now. Try again in a minute."


class Transfers:
    """At most `limit` at once, in this process: `promised` of these places can be promised. At most `waiting` wait for one."""

    def __init__(self, limit: int, *, promised: int, waiting: int) -> None:
        self._limit, self._for_promises, self._most_waiting = limit, promised, waiting
        self._change = threading.Condition()
        self._under_way = 0
        self._waiting = 0
        self._promises: dict[int, float] = {}

    def begin(self) -> Transfer:
        """It has begun. PortalBusy when too many are under way."""
        with self._change:
            return self._begun()

    def begin_promised(self, *, wait_seconds: float = WAIT_SECONDS) -> Transfer:
        """It has begun, on the oldest promise if there is one, and once there is a place. PortalBusy when that takes too long."""
        with self._change:
            self._promises.pop(next(iter(self._promises), 0), None)
            if self._under_way >= self._limit and self._waiting < self._most_waiting:
                self._waiting += 1
                try:
                    self._change.wait_for(lambda: self._under_way < self._limit, wait_seconds)
                finally:
                    self._waiting -= 1
            return self._begun()

    def promise(self, device: int) -> None:
        """A place is kept for this device, for a short time. PortalBusy when none can be."""
        with self._change:
            now = time.monotonic()
            self._promises.pop(device, None)
            self._promises = {one: end for one, end in self._promises.items() if end > now}
            if self._under_way + len(self._promises) >= self._for_promises:
                raise PortalBusy(SENTENCE)
            self._promises[device] = now + PROMISE_SECONDS

    def ended(self) -> None:
        """One is under way no more."""
        with self._change:
            self._under_way -= 1
            self._change.notify()

    def _begun(self) -> Transfer:
        if self._under_way >= self._limit:
            raise PortalBusy(SENTENCE)
        self._under_way += 1
        return Transfer(self)


class Transfer:
    """One that is under way, until it is ended; ending it again does nothing."""

    def __init__(self, among: Transfers) -> None:
        self._among: Transfers | None = among

    def end(self) -> None:
        among, self._among = self._among, None
        if among is not None:
            among.ended()


transfers: Final = Transfers(
    settings.TRANSFERS_AT_ONCE,
    promised=settings.TRANSFERS_PROMISED,
    waiting=settings.TRANSFERS_WAITING,
)
