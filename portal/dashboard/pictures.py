"""Pictures for the front page, as coordinates for templates: bars of outcomes, areas of versions. No query, no HTML."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from updates.machine import Outcome
from updates.statistics import VersionsOverTime

HEIGHT: Final = 100
SERIES: Final = 7
"""Colours that can be told apart; what is not among the biggest is drawn as the rest of them."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A piece of a stacked bar: where it is, what it stands for, and what it says when asked."""

    x: int
    y: float
    height: float
    word: str
    says: str


@dataclass(frozen=True, slots=True)
class Bars:
    """Stacked bars, one for each day, `width` units wide in all. `top` is how many the highest stands for."""

    bars: list[Bar]
    width: int
    top: int
    first: date
    last: date


def outcome_bars(
    days: Mapping[date, Counter[str]], *, first: date, last: date, step: int = 10
) -> Bars:
    """How upgrades ended on each day from `first` to `last`, piled up: the worst at the bottom, where it is seen."""
    top = max((sum(counts.values()) for counts in days.values()), default=0)
    bars: list[Bar] = []
    order = [
        Outcome.BROKEN,
        Outcome.ROLLED_BACK,
        Outcome.FAILED,
        Outcome.CANCELLED,
        Outcome.SUCCEEDED,
    ]
    shown = (last - first).days + 1
    for number in range(shown):
        day = first + timedelta(days=number)
        base = float(HEIGHT)
        for outcome in order:
            count = days.get(day, Counter())[outcome]
            if count:
                height = HEIGHT * count / top
                base -= height
                says = f"{day:%Y-%m-%d}: {count} {outcome.replace('_', ' ')}"
                bars.append(Bar(number * step, round(base, 2), round(height, 2), outcome, says))
    return Bars(bars, shown * step, top, first, last)


@dataclass(frozen=True, slots=True)
class Area:
    """One version through time: the corners of its area, the number of its colour, how many have it now.

    `is_rest` says that it is all those that are not among the biggest.
    """

    name: str
    series: int
    points: str
    now: int

    @property
    def is_rest(self) -> bool:
        return self.series == SERIES


@dataclass(frozen=True, slots=True)
class Areas:
    """Areas piled up, `width` units wide; `top` is how many devices the full height stands for."""

    areas: list[Area]
    width: int
    top: int
    first: date
    last: date


def version_areas(found: VersionsOverTime, *, step: int = 100) -> Areas:
    """How many devices had which version; the biggest have colours of their own, the rest share one."""
    biggest = biggest_of(found)
    rows = [(name, found.counts[name]) for name in biggest]
    rest = [name for name in found.counts if name not in biggest]
    if rest:
        rows.append(
            (
                "others",
                [
                    sum(found.counts[name][at] for name in rest)
                    for at, _ in enumerate(found.moments)
                ],
            )
        )
    totals = [sum(counts[at] for _, counts in rows) for at, _ in enumerate(found.moments)]
    top = max(totals, default=0)
    areas: list[Area] = []
    base = [0] * len(found.moments)
    for number, (name, counts) in enumerate(rows):
        above = [low + count for low, count in zip(base, counts, strict=True)]
        series = SERIES if name == "others" else number
        areas.append(Area(name, series, _corners(base, above, top=top, step=step), counts[-1]))
        base = above
    return Areas(
        areas,
        step * (len(found.moments) - 1),
        top,
        found.moments[0].date(),
        found.moments[-1].date(),
    )


def biggest_of(found: VersionsOverTime) -> list[str]:
    """The versions that most devices had at any time, at most as many as there are colours."""
    ranked = sorted(
        found.counts, key=lambda name: (-found.counts[name][-1], -max(found.counts[name]), name)
    )
    return ranked[:SERIES]


def _corners(low: Sequence[int], high: Sequence[int], *, top: int, step: int) -> str:
    def corner(at: int, value: int) -> str:
        y = HEIGHT - (HEIGHT * value / top if top else 0)
        return f"{at * step},{y:.2f}"

    there = [corner(at, value) for at, value in enumerate(high)]
    back = [corner(at, value) for at, value in reversed(list(enumerate(low)))]
    return " ".join([*there, *back])
