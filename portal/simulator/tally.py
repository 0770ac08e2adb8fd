"""What the whole fleet did so far: how often, and how long it took."""

from __future__ import annotations

import math
import threading
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import Final

STEP: Final = 1.02
"""Times are counted in classes, each 2 % wider than the one below, so that a fleet may run for months."""
SHORTEST_SECONDS: Final = 1e-5


@dataclass(frozen=True, slots=True)
class Latency:
    """How long answers took, in milliseconds; right to 2 %."""

    count: int
    p50_ms: float
    p99_ms: float


class Tally:
    """Counts by name, and times by name. Any thread may add to it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._troubles: Counter[str] = Counter()
        self._times: defaultdict[str, Counter[int]] = defaultdict(Counter)

    def count(self, what: str) -> None:
        with self._lock:
            self._counts[what] += 1

    def trouble(self, sentence: str) -> None:
        with self._lock:
            self._troubles[sentence] += 1

    def took(self, what: str, seconds: float) -> None:
        place = round(math.log(max(seconds, SHORTEST_SECONDS) / SHORTEST_SECONDS, STEP))
        with self._lock:
            self._times[what][place] += 1

    def counts(self) -> Counter[str]:
        """As they are now; a name that was never counted is 0."""
        with self._lock:
            return Counter(self._counts)

    def troubles(self) -> Counter[str]:
        """What went wrong, and how often."""
        with self._lock:
            return Counter(self._troubles)

    def latencies(self) -> dict[str, Latency]:
        """Of each kind of request that was answered."""
        with self._lock:
            times = {what: Counter(found) for what, found in self._times.items()}
        return {
            what: Latency(found.total(), _share(found, 0.5), _share(found, 0.99))
            for what, found in sorted(times.items())
        }


def _share(found: Counter[int], share: float) -> float:
    """The time in milliseconds that this share of all stayed below."""
    left = share * found.total()
    for place in sorted(found):
        left -= found[place]
        if left <= 0:
            return round(SHORTEST_SECONDS * STEP**place * 1000, 3)
    return 0.0
