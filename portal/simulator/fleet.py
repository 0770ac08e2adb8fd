"""Many devices in one process: whoever is due takes its next step, on one of a bounded number of threads."""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Iterator, Sequence
from itertools import count
from typing import Final

from portal.simulator.device import PretendDevice

STOP_SECONDS: Final = 70.0
"""Longer than anybody waits for an answer."""

Due = tuple[float, int, Iterator[float]]


class Fleet:
    """Runs from `with` on, to its end. `at_once`: how many devices may be doing something at the same moment."""

    def __init__(self, devices: Sequence[PretendDevice], *, at_once: int) -> None:
        self._devices = devices
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(at_once)]
        self._numbers = count()
        self._due: list[Due] = []
        self._change = threading.Condition()
        self._is_over = False
        self._bug: Exception | None = None

    def __enter__(self) -> Fleet:
        now = time.monotonic()
        self._due = [(now, next(self._numbers), device.life()) for device in self._devices]
        heapq.heapify(self._due)
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """No device does anything any more: each has finished the step that it was at."""
        self._end()
        deadline = time.monotonic() + STOP_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def is_idle(self) -> bool:
        """Whether every device is let in and found nothing to do. Raises what a device's life ended with: a bug."""
        if self._bug is not None:
            raise self._bug
        return all(device.is_idle for device in self._devices)

    def _work(self) -> None:
        while (life := self._next()) is not None:
            try:
                pause = next(life)
            except Exception as error:  # noqa: BLE001 - not swallowed: `is_idle` raises it where somebody looks
                self._bug = error
                self._end()
                return
            with self._change:
                due = time.monotonic() + pause
                heapq.heappush(self._due, (due, next(self._numbers), life))
                self._change.notify()

    def _next(self) -> Iterator[float] | None:
        """The life that is due, once it is; None when the fleet has ended."""
        with self._change:
            while not self._is_over:
                wait = self._due[0][0] - time.monotonic() if self._due else None
                if wait is not None and wait <= 0:
                    return heapq.heappop(self._due)[2]
                self._change.wait(wait)
        return None

    def _end(self) -> None:
        with self._change:
            self._is_over = True
            self._change.notify_all()
