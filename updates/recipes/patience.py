"""Asking a device again that is away for a while: for what changes nothing there, or is the same when it is done twice."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, Protocol, TypeVar

from devices.errors import DeviceUnreachable
from updates.runner import Context

RETRY_SECONDS: Final = (1.0, 2.0, 4.0, 8.0, 15.0)

Found = TypeVar("Found")


class Way(Protocol):
    """A connection that opens again when it is used: a Shell, an Engine."""

    def close(self) -> None: ...


def patiently(context: Context, way: Way, look: Callable[[], Found]) -> Found:
    """What `look` found. It is tried again as long as the state's limit allows while the device cannot be reached."""
    pauses = iter(RETRY_SECONDS)
    pause = 0.0
    while True:
        try:
            return look()
        except DeviceUnreachable as error:
            pause = next(pauses, pause)
            if not error.retryable or context.journal.seconds_left() < pause:
                raise
            way.close()
        pause_for(context, pause)


def pause_for(context: Context, seconds: float) -> None:
    """So many seconds are over; meanwhile it is heard when the upgrade is to end."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        context.tick()
        time.sleep(min(left, 0.5))
