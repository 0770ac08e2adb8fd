"""Large files on their way in or out: each takes a thread of the web server, for as long as the other side takes.

So there is a bound to how many there are at once. Whoever comes then is asked to come again, and pages always find a thread.
"""

from __future__ import annotations

import threading
from typing import Final

from django.conf import settings

from portal.core.errors import PortalBusy

RETRY_SECONDS: Final = 30


class Transfer:
    """One that is under way, until it is ended; ending it again does nothing."""

    def __init__(self, slots: threading.Semaphore) -> None:
        self._slots: threading.Semaphore | None = slots

    def end(self) -> None:
        slots, self._slots = self._slots, None
        if slots is not None:
            slots.release()


class Transfers:
    """At most `limit` at once, in this process."""

    def __init__(self, limit: int) -> None:
        self._slots = threading.BoundedSemaphore(limit)

    def begin(self) -> Transfer:
        """It has begun. PortalBusy when too many are under way."""
        if not self._slots.acquire(blocking=False):
            raise PortalBusy("Too many files are being sent just now. Try again in a minute.")
        return Transfer(self._slots)


transfers: Final = Transfers(settings.TRANSFERS_AT_ONCE)
