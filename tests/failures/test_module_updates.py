"""The telling cells of the table of module updates: each ends exactly old or exactly new, and the history says which.

All cells are in tests/soak/test_module_table.py.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from tests.failures.door import Fault
from tests.modules.faults import cut, full, gone, killed, lift_limit, limit_room
from tests.modules.host import Host
from tests.modules.stage import Stage
from tests.modules.table import Bench, Cell
from updates.machine import State

pytestmark = pytest.mark.database(transaction=True)


@pytest.fixture
def bench(module_stage: Stage, transactional_db: None, settings: Settings) -> Iterator[Bench]:
    """An instance in a file system with little room."""
    settings.LEASE_SECONDS = 3
    settings.HEARTBEAT_SECONDS = 0.5
    settings.HEALTH_LIMIT_SECONDS = 20
    settings.HEALTH_PASSES = 2
    settings.HEALTH_PAUSE_SECONDS = 0.3
    host = Host(module_stage.device(), module_stage.engine)
    limit_room(host)
    yield Bench.set_up(host, module_stage)
    host.reset()
    lift_limit(host)


def test_each_ends_exactly_old_or_exactly_new(bench: Bench, module_stage: Stage) -> None:
    """One instance for all: what one upgrade leaves must not harm the next."""
    host = bench.host
    rows: list[tuple[State, Fault, str]] = [
        (State.DOWNLOADING, gone(module_stage), "failed"),
        (State.INSTALLING, full(host), "rolled_back"),
        (State.INSTALLING, cut(host), "succeeded"),
        (State.INSTALLING, killed(), "succeeded"),
        (State.ROLLING_BACK, full(host), "rolled_back"),
        (State.ROLLING_BACK, killed(), "rolled_back"),
    ]
    for state, fault, outcome in rows:
        cell = Cell(state, fault, bench.image(state))
        upgrade = bench.carry_out(cell)
        assert (upgrade.outcome, bench.complaint(upgrade)) == (outcome, ""), (
            f"{cell}: {upgrade.error}"
        )
        bench.make_old(upgrade)
