"""The same work for each contender, by turns, so that what else the machine does meets all of them."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from statistics import median
from typing import Final

from bench.fleet.contender import Contender
from bench.fleet.processes import machine_seconds

AT_ONCE: Final = 32
ROUNDS: Final = 3
POLLS: Final = 3000
WARM_UP: Final = 300
CORES: Final = os.cpu_count() or 1


@dataclass(frozen=True, slots=True)
class Run:
    """Some requests or whole updates, by 32 devices at a time."""

    per_second: float
    p50_ms: float
    p99_ms: float
    cpu_ms: float
    """Of the server and its database, for each."""
    others: float
    """The share of the machine that went to neither side, but to whatever else ran on it."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One round of one contender: every device updated once, then polls that find nothing to do."""

    who: str
    devices: int
    counted: int
    """The successes that the server says there were; as many as devices is right."""
    updates: Run
    polls: Run

    def __str__(self) -> str:
        return (
            f"{self.who}: {self.devices} devices updated, {self.updates.per_second:.1f} a second, {self.counted} counted;"
            f" {self.polls.per_second:.0f} polls a second"
        )


@dataclass(frozen=True, slots=True)
class Standing:
    """A contender's median round. `lost`: the most successes that were missing from its own count in any round."""

    who: str
    devices: int
    lost: int
    updates: Run
    polls: Run


def race(contenders: Sequence[Contender], *, devices: int) -> Iterator[Sample]:
    """All rounds of all contenders, each as soon as it was run. Before that everybody's threads are warm."""
    for contender in contenders:
        _measure(contender, contender.poll, list(range(min(devices, WARM_UP))))
    for _ in range(ROUNDS):
        for contender in contenders:
            yield _round(contender, devices)


def standings(samples: Sequence[Sample]) -> list[Standing]:
    """One for each contender, in the order in which they ran first."""
    names = list(dict.fromkeys(sample.who for sample in samples))
    return [_standing([sample for sample in samples if sample.who == name]) for name in names]


def _round(contender: Contender, devices: int) -> Sample:
    contender.order()
    updates = _measure(contender, contender.update, list(range(devices)))
    counted = contender.counted()
    polls = _measure(contender, contender.poll, [number % devices for number in range(POLLS)])
    return Sample(contender.name, devices, counted, updates, polls)


def _measure(contender: Contender, act: Callable[[int], None], numbers: list[int]) -> Run:
    def timed(number: int) -> float:
        began = time.perf_counter()
        act(number)
        return time.perf_counter() - began

    server, client, machine = contender.server_cpu_seconds(), time.process_time(), machine_seconds()
    began = time.perf_counter()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        times = sorted(pool.map(timed, numbers))
    seconds = time.perf_counter() - began
    server = contender.server_cpu_seconds() - server
    client = time.process_time() - client
    others = machine_seconds() - machine - server - client
    return Run(
        per_second=len(numbers) / seconds,
        p50_ms=median(times) * 1000,
        p99_ms=times[math.ceil(0.99 * len(times)) - 1] * 1000,
        cpu_ms=server / len(numbers) * 1000,
        others=max(0.0, others / seconds / CORES),
    )


def _standing(samples: Sequence[Sample]) -> Standing:
    return Standing(
        who=samples[0].who,
        devices=samples[0].devices,
        lost=max(abs(sample.devices - sample.counted) for sample in samples),
        updates=_middle([sample.updates for sample in samples]),
        polls=_middle([sample.polls for sample in samples]),
    )


def _middle(runs: Sequence[Run]) -> Run:
    return Run(
        per_second=median(run.per_second for run in runs),
        p50_ms=median(run.p50_ms for run in runs),
        p99_ms=median(run.p99_ms for run in runs),
        cpu_ms=median(run.cpu_ms for run in runs),
        others=median(run.others for run in runs),
    )
