"""The watchdog is killed in each state, with all that it has started: what runs then is exactly the old or exactly the new."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

import pytest

from portal.core import clock
from tests.containers.ledger import SPOILS, V2
from tests.soak.conftest import IS_LONG, WriteReport, commit
from tests.watchdog.conftest import built as built
from tests.watchdog.conftest import portal_stage as portal_stage
from tests.watchdog.stage import PortalStage
from updates.machine import HAPPY_PATH, ROLLBACK_STATES, Outcome, State
from updates.watchdog.record import Record

pytestmark = pytest.mark.docker

ON_THE_WAY: Final = HAPPY_PATH[:-1]
ON_THE_WAY_BACK: Final = (*sorted(ROLLBACK_STATES, key=[*State].index), State.FAILING)
HANDFUL: Final = (State.DOWNLOADING, State.INSTALLING, State.ROLLING_BACK)


@dataclass(frozen=True, slots=True)
class Death:
    """In this state, on the way to this version; and how the upgrade ended, after so many seconds in all."""

    state: State
    version: str
    record: Record
    seconds: float

    def __str__(self) -> str:
        stands = "exactly new" if self.record.outcome == Outcome.SUCCEEDED else "exactly old"
        return f"| {self.state} | {self.version} | {self.record.outcome} | {stands} | {self.seconds:.0f} |"


@pytest.fixture(scope="module")
def deaths() -> list[Death]:
    """Those that were survived so far."""
    return []


@pytest.mark.parametrize(
    ("state", "version"),
    [
        (state, number)
        for number, way in ((V2.number, ON_THE_WAY), (SPOILS.number, ON_THE_WAY_BACK))
        for state in way
        if IS_LONG or state in HANDFUL
    ],
)
def test_one_that_is_killed_leaves_the_old_or_the_new(
    state: State,
    version: str,
    portal_stage: PortalStage,
    deaths: list[Death],
    write_report: WriteReport,
) -> None:
    began = time.monotonic()
    portal_stage.start()
    portal_stage.ask(version)
    portal_stage.until(state, State.FINISHED)
    portal_stage.kill()
    left = portal_stage.record()
    assert left is not None and left.state == state, "it was killed too late"
    portal_stage.start()
    record = portal_stage.ended()

    if version == V2.number:
        assert record.outcome == Outcome.SUCCEEDED, record.error
        portal_stage.require_new()
    else:
        assert record.outcome == Outcome.ROLLED_BACK, record.error
        portal_stage.require_old()
    deaths.append(Death(state, version, record, time.monotonic() - began))
    write_report("watchdog.md", report(deaths))


def report(deaths: list[Death]) -> str:
    """Of those that were survived, in the order of the states."""
    of_all = len(ON_THE_WAY) + len(ON_THE_WAY_BACK)
    lines = [
        "# The watchdog is killed in each state",
        "",
        f"Written by `make soak` on {clock.now():%Y-%m-%d}, at {commit()}:",
        "a set of two services that Compose 1 runs, with data in a volume, is upgraded from 1.0.0",
        f"to {V2.number}, or to {SPOILS.number}, which spoils the data and ends. As each state begins",
        "the watchdog is killed (SIGKILL) with all that it has started, and started again.",
        "Its record says that it died in that state. Afterwards what the services run, and the",
        "data, are compared with what was there before, or with what 2.0.0 makes of it.",
        "",
        f"**{len(deaths)} deaths of {of_all}, each with exactly the old or exactly the new after it.**",
        "",
        "| died in | on the way to | the record says | what runs | seconds |",
        "|---|---|---|---|---|",
        *map(str, sorted(deaths, key=lambda one: (one.version, [*State].index(one.state)))),
    ]
    return "\n".join(lines) + "\n"
