"""The figures as a table for people and as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from bench.fleet.compared import Ahead, ahead
from bench.fleet.race import Run, Sample, standings
from bench.nodes import Compared
from bench.orders import OrderFigure
from bench.pages import Figure

QUERIES: Final = 12
SQL_MS: Final = 150.0
UNITS: Final = 1.5
"""The same limit on a machine whose unit is 100 ms; slower and busier ones are measured by this."""
HEAD: Final = "  queries   SQL ms  first ms  units  total ms     KiB  page"

RUN_HEAD: Final = "{:>9} {:>7} {:>7} {:>7} {:>7}"
FLEET_HEAD: Final = f"{'':20} {'lost':>5} " + "   ".join(
    RUN_HEAD.format(what, "p50 ms", "p99 ms", "CPU ms", "others")
    for what in ("updates/s", "polls/s")
)


def is_over(page: Figure) -> bool:
    """Whether the page is over a limit."""
    return page.is_over(queries=QUERIES, sql_ms=SQL_MS, units=UNITS)


@dataclass(slots=True)
class Report:
    """`unit_ms` is what the server needs to count a million rows out of nothing: figures over it travel between machines."""

    machine: str
    commit: str
    rows: dict[str, int] = field(default_factory=dict)
    unit_ms: float = 0.0
    pages: list[Figure] = field(default_factory=list)
    orders: list[OrderFigure] = field(default_factory=list)
    nodes: list[Compared] = field(default_factory=list)
    fleets: list[Sample] = field(default_factory=list)

    def over(self) -> list[str]:
        """What is over its limit, by name."""
        slow = [page.name for page in self.pages if is_over(page)]
        far = [f"{one.what} on {one.nodes} nodes" for one in self.nodes if one.is_over]
        behind = [one.who for one in self.fleets_ahead() if one.is_over]
        return [*slow, *(order.name for order in self.orders if order.is_over), *far, *behind]

    def fleets_ahead(self) -> list[Ahead]:
        """How far each of our fleets is before goosebit's; nobody where none was measured."""
        return ahead(standings(self.fleets)) if self.fleets else []

    def fleet_lines(self) -> Iterator[str]:
        """The median of everybody's rounds, and how they compare."""
        if self.fleets:
            yield FLEET_HEAD
        for one in standings(self.fleets):
            yield f"{one.who:20} {one.lost:5} {_run(one.updates)}   {_run(one.polls)}"
        for each in self.fleets_ahead():
            yield f"{'!' if each.is_over else ' '} {each}"

    def page_line(self, page: Figure) -> str:
        mark = "!" if is_over(page) else " "
        return (
            f"{mark} {page.queries:7} {page.sql_ms:8.1f} {page.first_sql_ms:9.1f} {page.units:6.2f}"
            f" {page.ms:9.1f} {page.kib:7.1f}  {page.name}{'' if page.status == 200 else f' [{page.status}]'}"
        )

    def order_line(self, order: OrderFigure) -> str:
        return (
            f"{'!' if order.is_over else ' '} {order.name}: {order.seconds:.1f} s of at most"
            f" {order.limit_seconds:.0f} s, {order.grown_mib:.0f} MiB more memory"
        )

    def summary(self) -> str:
        """How many of what was measured are over a limit; of pages, the worst."""
        over = len(self.over())
        says = f"{over} over a limit" if over else "Nothing is over a limit"
        if not self.pages:
            return says
        slowest = max(self.pages, key=lambda page: page.sql_ms)
        most = max(self.pages, key=lambda page: page.queries)
        return (
            f"{says}; {len(self.pages)} pages measured ({QUERIES} queries; {SQL_MS:.0f} ms of SQL and {UNITS} units, both);"
            f" slowest: {slowest.name} ({slowest.sql_ms:.0f} ms, {slowest.units:.2f} units);"
            f" most queries: {most.name} ({most.queries})"
        )

    def write(self, folder: Path) -> None:
        """bench.json and bench.txt are in the folder."""
        folder.mkdir(parents=True, exist_ok=True)
        plain = asdict(self)
        for page in plain["pages"]:
            page["slowest"] = page["slowest"] and page["slowest"]["sql"]
        (folder / "bench.json").write_text(json.dumps(plain, indent=1) + "\n")
        (folder / "bench.txt").write_text("\n".join(self.lines()) + "\n")

    def lines(self) -> Iterator[str]:
        yield f"Machine: {self.machine}"
        yield f"Commit: {self.commit}"
        if self.rows:
            yield "Rows: " + ", ".join(f"{count:,} {name}" for name, count in self.rows.items())
            yield f"Unit: {self.unit_ms:.0f} ms to count a million made-up rows"
        yield ""
        if self.pages:
            yield HEAD
            yield from (self.page_line(page) for page in self.pages)
            yield ""
        yield from (self.order_line(order) for order in self.orders)
        yield from (str(compared) for compared in self.nodes)
        yield from self.fleet_lines()
        yield self.summary()


def _run(run: Run) -> str:
    return f"{run.per_second:9.1f} {run.p50_ms:7.1f} {run.p99_ms:7.1f} {run.cpu_ms:7.2f} {run.others:7.0%}"
