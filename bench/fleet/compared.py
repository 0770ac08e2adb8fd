"""The portal on both databases, and goosebit: all running side by side, each idle while another's turn is measured."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.fleet.goosebit import Goosebit
from bench.fleet.portal import Portal
from bench.fleet.race import Sample, Standing, race
from tests.environment import postgres
from tests.environment.workdir import workdir

DEVICES: Final = 1000
PAYLOAD_BYTES: Final = 64 * 1024
POLLS_AT_LEAST: Final = 1.5
"""How many times goosebit's idle polls in a second."""


@dataclass(frozen=True, slots=True)
class Ahead:
    """How many times as much as the other one does, in a second and for the same processor time."""

    who: str
    updates: float
    update_cpu: float
    polls: float
    poll_cpu: float
    lost: int

    @property
    def is_over(self) -> bool:
        return self.lost > 0 or self.polls < POLLS_AT_LEAST

    def __str__(self) -> str:
        return (
            f"{self.who}: {self.updates:.1f} times goosebit's updates a second and {self.update_cpu:.1f} times for the same"
            f" processor time; {self.polls:.1f} and {self.poll_cpu:.1f} times its polls; {self.lost} successes not counted"
        )


def measure_fleets(environments: Path, *, devices: int) -> Iterator[Sample]:
    """Every round of everybody, each as soon as it was run. `environments`: where goosebit is installed, or will be."""
    folder = workdir() / "fleet"
    folder.mkdir()
    folder.chmod(0o711)  # PostgreSQL's user passes through
    with ExitStack() as stack:
        cluster = postgres.start(folder / "cluster", settings=postgres.DURABLE)
        stack.callback(cluster.child.stop)
        databases = {
            "portal on PostgreSQL": (cluster.new_database("fleet"), cluster.child),
            "portal on SQLite": (f"sqlite:///{folder / 'fleet.sqlite3'}", None),
        }
        theirs = Goosebit(
            folder / "goosebit",
            environment=environments / "goosebit",
            devices=devices,
            payload_bytes=PAYLOAD_BYTES,
        )
        stack.enter_context(closing(theirs))
        ours = [
            stack.enter_context(
                closing(
                    Portal(
                        name,
                        folder / name.replace(" ", "-"),
                        url=url,
                        database=server,
                        devices=devices,
                        payload_bytes=PAYLOAD_BYTES,
                    )
                )
            )
            for name, (url, server) in databases.items()
        ]
        yield from race([theirs, *ours], devices=devices)


def ahead(standings: list[Standing]) -> list[Ahead]:
    """Everybody beside goosebit."""
    theirs = next(each for each in standings if each.who == Goosebit.name)
    return [_ahead(each, theirs) for each in standings if each is not theirs]


def _ahead(ours: Standing, theirs: Standing) -> Ahead:
    return Ahead(
        who=ours.who,
        updates=ours.updates.per_second / theirs.updates.per_second,
        update_cpu=theirs.updates.cpu_ms / ours.updates.cpu_ms,
        polls=ours.polls.per_second / theirs.polls.per_second,
        poll_cpu=theirs.polls.cpu_ms / ours.polls.cpu_ms,
        lost=ours.lost,
    )
