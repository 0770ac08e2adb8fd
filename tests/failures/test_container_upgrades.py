"""The telling cells of the table of container upgrades: each ends exactly old or exactly new, and the history says which.

All cells are in tests/soak/test_container_table.py.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from tests.containers.deployed import ByCompose, ByHand, Way
from tests.containers.faults import engine_restarted, full, gone, killed
from tests.containers.host import Host
from tests.containers.stage import Stage
from tests.containers.table import Bench, Cell
from tests.failures.door import Fault
from updates.machine import State

pytestmark = pytest.mark.database(transaction=True)


@pytest.fixture
def host(container_stage: Stage, transactional_db: None, settings: Settings) -> Iterator[Host]:
    settings.LEASE_SECONDS = 3
    settings.HEARTBEAT_SECONDS = 0.5
    settings.HEALTH_PASSES = 2
    settings.HEALTH_PAUSE_SECONDS = 0.3
    settings.CONTAINER_MIN_FREE_BYTES = 20 * 2**20
    yield Host(container_stage)
    container_stage.empty_disk()


def telling(stage: Stage) -> dict[Way, list[tuple[State, Fault, str]]]:
    """In Compose's way and by the engine's API: what goes wrong where, and how it has to end."""
    return {
        ByCompose: [
            (State.INSTALLING, killed(), "succeeded"),
            (State.INSTALLING, full(stage), "rolled_back"),
            (State.ROLLING_BACK, killed(), "rolled_back"),
        ],
        ByHand: [
            (State.DOWNLOADING, gone(stage), "failed"),
            (State.INSTALLING, engine_restarted(stage), "succeeded"),
            (State.ROLLING_BACK, killed(), "rolled_back"),
        ],
    }


@pytest.mark.parametrize("way", [ByCompose, ByHand])
def test_each_ends_exactly_old_or_exactly_new(host: Host, way: Way) -> None:
    """One deployment for all: what one upgrade leaves must not harm the next."""
    bench = Bench.set_up(host, way)
    for state, fault, outcome in telling(host.stage)[way]:
        cell = Cell(state, fault, bench.version(state))
        upgrade = bench.carry_out(cell)
        assert (upgrade.outcome, bench.complaint(upgrade)) == (outcome, ""), (
            f"{cell}: {upgrade.error}"
        )
        assert bench.make_old(upgrade) == ""
