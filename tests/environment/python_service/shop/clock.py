"""The loop of the threaded service. It never ends."""

from __future__ import annotations

import threading
from collections.abc import Callable

TICK_SECONDS = 0.05

stopped = threading.Event()


def run(tick: Callable[[], int]) -> None:
    while not stopped.wait(TICK_SECONDS):
        tick()


def begin(tick: Callable[[], int]) -> None:
    """`tick` is called again and again, in a thread of its own."""
    threading.Thread(target=run, args=[tick], daemon=True).start()
