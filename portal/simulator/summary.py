"""What a fleet did, as a line a second, and as a whole at the end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Final

from portal.simulator.tally import Latency, Tally

COUNTED: Final = ("polls", "offered", "succeeded", "failed", "aborted", "already installed")
ENDED: Final = ("succeeded", "failed", "aborted", "already installed")


@dataclass(frozen=True, slots=True)
class Summary:
    """`offered` counts each deployment once for each device. `troubles`: what went wrong on the way, and how often."""

    devices: int
    seconds: float
    counts: dict[str, int]
    troubles: dict[str, int]
    latencies: dict[str, Latency]

    def lines(self) -> Iterator[str]:
        """For people."""
        counts = ", ".join(f"{name} {count}" for name, count in self.counts.items())
        polls = self.counts["polls"] / self.seconds
        yield f"{self.devices} devices, {self.seconds:.1f} s: {counts}; {polls:.1f} polls a second."
        for what, latency in self.latencies.items():
            yield (
                f"{what:12} {latency.count:8} answered, half within {latency.p50_ms:.1f} ms,"
                f" 99 % within {latency.p99_ms:.1f} ms"
            )
        for sentence, times in self.troubles.items():
            yield f"{times} times: {sentence}."

    def as_json(self) -> dict[str, object]:
        """For programs."""
        return asdict(self) | {"polls_per_second": round(self.counts["polls"] / self.seconds, 1)}


def summary(tally: Tally, *, devices: int, seconds: float) -> Summary:
    """What the tally holds after this time."""
    counts = tally.counts()
    names = (*COUNTED, *sorted(counts.keys() - set(COUNTED)))
    return Summary(
        devices=devices,
        seconds=round(seconds, 3),
        counts={name: counts[name] for name in names},
        troubles=dict(tally.troubles().most_common()),
        latencies=tally.latencies(),
    )


def line(tally: Tally, *, seconds: float, polls_before: int) -> str:
    """How far the fleet is, and how many polls there were since the line before."""
    counts = tally.counts()
    ended = ", ".join(f"{name} {counts[name]}" for name in ENDED)
    under_way = counts["offered"] - sum(counts[name] for name in ENDED)
    troubles = tally.troubles().total()
    return (
        f"{seconds:5.0f} s  in {counts['let in']}, {counts['polls'] - polls_before} polls,"
        f" updating {max(0, under_way)}, {ended}" + (f", troubles {troubles}" if troubles else "")
    )
