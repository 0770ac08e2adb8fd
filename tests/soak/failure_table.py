"""How the cells of a failure table ended, and the report that says so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from portal.core import clock
from tests.soak.conftest import commit
from updates.machine import Outcome
from updates.models import Upgrade


@dataclass(frozen=True, slots=True)
class Row:
    """One cell, and how it ended. One that `may_break` does so where nobody could promise anything."""

    cell: str
    upgrade: Upgrade
    seconds: float
    complaint: str
    may_break: bool

    def __str__(self) -> str:
        has = {Outcome.SUCCEEDED: "exactly new", Outcome.BROKEN: "not known: it is broken"}
        outcome = Outcome(str(self.upgrade.outcome))
        device = self.complaint or has.get(outcome, "exactly old")
        says = f"{outcome}, with a warning" if self.upgrade.warning else str(outcome)
        return f"| {self.cell} | {says} | {device} | {self.seconds:.0f} |"

    @property
    def is_wrong(self) -> bool:
        is_broken = self.upgrade.outcome == Outcome.BROKEN
        return bool(self.complaint) or (is_broken and not self.may_break)


def report(
    of: str, about: Sequence[str], rows: Sequence[Row], *, left: Sequence[str], seconds: float
) -> str:
    """What the run showed `of` something. As long as cells are `left` it names them: a run that was stopped says so."""
    wrong = sum(row.is_wrong for row in rows)
    outcomes = Counter(str(row.upgrade.outcome) for row in rows)
    ends = ", ".join(f"{count} {outcome}" for outcome, count in outcomes.most_common())
    head = [
        f"# The failure table of {of}",
        "",
        f"Written by `make soak` on {clock.now():%Y-%m-%d}, at {commit()}:",
        "something goes wrong as each state begins, on a device",
        *about,
        "",
        f"**{len(rows)} cells, {wrong} not as they should be, {seconds / 60:.0f} minutes: {ends}.**",
        "",
        "| what goes wrong | the history says | the device has | seconds |",
        "|---|---|---|---|",
    ]
    tail = ["", f"Not run: {'; '.join(left)}."] if left else []
    return "\n".join([*head, *map(str, rows), *tail]) + "\n"
