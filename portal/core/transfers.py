"""Large files on their way in or out: each takes a thread of the web server, for as long as the other side takes.

So there is a bound to how many there are at once. Whoever comes then is asked to come again, and pages always find a thread.
Devices that pull must not be asked that, since some of their clients take it for the end of their update. So a place is promised
to each before it is sent for its file, and nobody else gets it; one that comes without a promise, as to go on where it broke off,
waits a while until there is a place that nobody is promised. Who comes to another process of the web server than the one that
promised it a place takes the oldest that was promised there: its own is left for whoever comes the other way.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Hashable
from dataclasses import dataclass
from secrets import token_hex
from typing import Final
from weakref import WeakSet

from django.conf import settings

from portal.core.errors import PortalBusy

RETRY_SECONDS: Final = 30
PROMISE_SECONDS: Final = 15.0
"""As long a place is kept for whoever was sent for a file, and has not come yet."""
LAPSED_SECONDS: Final = 24 * 3600.0
"""As long nothing is kept again for whoever did not come: some clients ask at every poll, and are kept from the download."""
MOST_LAPSED: Final = 10_000
WAIT_SECONDS: Final = 10.0
SENTENCE: Final = "Too many files are being sent just now. Try again in a minute."


@dataclass(frozen=True, slots=True)
class Promised:
    """To whom a place was promised, and the name of the `Transfers` that did it; empty where that is not known."""

    to: str
    by: str


class Transfers:
    """At most `limit` at once, in this process: `promised` of these places can be promised. At most `waiting` wait for one."""

    def __init__(self, limit: int, *, promised: int, waiting: int) -> None:
        self._limit, self._for_promises, self._most_waiting = limit, promised, waiting
        self.name = token_hex(4)
        """Of this process's, for those that come to another one."""
        self._change = threading.Condition()
        # Those that somebody holds: an answer that is lost before the server has it is never closed, and keeps no place.
        self._under_way: WeakSet[Transfer] = WeakSet()
        self._waiting = 0
        # Until when each promise is kept, and when each that was not used lapsed. The oldest come first.
        self._promises: dict[Hashable, float] = {}
        self._lapsed: dict[Hashable, float] = {}

    def begin(self) -> Transfer:
        """It has begun. PortalBusy when too many are under way, or promised."""
        with self._change:
            return self._begun()

    def begin_promised(
        self, whose: Hashable = None, *, by: str = "", wait_seconds: float = WAIT_SECONDS
    ) -> Transfer:
        """It has begun: on the promise that was made to `whose`, else once there is a place. PortalBusy when that takes too long.

        `by` is the name of those that made the promise; empty when it is of no use any more.
        """
        with self._change:
            is_elsewhere = by not in ("", self.name) and whose not in self._promises
            taken = next(iter(self._promises), None) if is_elsewhere else whose
            if not self._is_place_for(taken) and self._waiting < self._most_waiting:
                self._waiting += 1
                try:
                    self._wait_for_place(taken, until=time.monotonic() + wait_seconds)
                finally:
                    self._waiting -= 1
            self._promises.pop(taken, None)
            self._lapsed.pop(whose, None)
            return self._begun()

    def promise(self, whose: Hashable) -> None:
        """A place is kept for whoever that is, for a short time from when it was first asked. PortalBusy when none can be.

        Nothing is kept again for one that did not come, but there is a place now.
        """
        with self._change:
            self._let_lapse()
            if whose in self._promises:
                return
            if len(self._under_way) + len(self._promises) >= self._for_promises:
                raise PortalBusy(SENTENCE)
            if whose not in self._lapsed:
                self._promises[whose] = time.monotonic() + PROMISE_SECONDS

    def ended(self, transfer: Transfer) -> None:
        """It is under way no more."""
        with self._change:
            self._under_way.discard(transfer)
            self._change.notify()

    def _begun(self) -> Transfer:
        if not self._is_place_for(None):
            raise PortalBusy(SENTENCE)
        transfer = Transfer(self)
        self._under_way.add(transfer)
        return transfer

    def _is_place_for(self, whose: Hashable) -> bool:
        self._let_lapse()
        return whose in self._promises or len(self._under_way) + len(self._promises) < self._limit

    def _wait_for_place(self, whose: Hashable, *, until: float) -> None:
        """There is one, or it is `until`. A promise that lapses makes a place, too, and nobody tells of that."""
        while not self._is_place_for(whose) and (now := time.monotonic()) < until:
            self._change.wait(min([until, *self._promises.values()]) - now)

    def _let_lapse(self) -> None:
        now = time.monotonic()
        for whose in [one for one, end in self._promises.items() if end <= now]:
            del self._promises[whose]
            self._lapsed.pop(whose, None)
            self._lapsed[whose] = now
        while self._lapsed and (
            len(self._lapsed) > MOST_LAPSED
            or next(iter(self._lapsed.values())) <= now - LAPSED_SECONDS
        ):
            del self._lapsed[next(iter(self._lapsed))]


class Transfer:
    """One that is under way, until it is ended, or nobody holds it any more; ending it again does nothing."""

    def __init__(self, among: Transfers) -> None:
        self._among = among

    def end(self) -> None:
        self._among.ended(self)


transfers: Final = Transfers(
    settings.TRANSFERS_AT_ONCE,
    promised=settings.TRANSFERS_PROMISED,
    waiting=settings.TRANSFERS_WAITING,
)
