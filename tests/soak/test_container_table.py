"""The failure table of container upgrades: every state, and all that can go wrong in it, by Compose and by the engine's API."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from django.db import close_old_connections
from pytest_django import Settings

from tests.containers.deployed import ByCompose, ByHand, Way
from tests.containers.faults import engine_restarted, failing, full, gone, killed
from tests.containers.host import Host
from tests.containers.stage import Stage
from tests.containers.table import Bench, Cell, cells
from tests.soak.conftest import IS_LONG, WriteReport
from tests.soak.failure_table import Row, report
from updates.machine import Outcome, State

WAYS: dict[str, Way] = {"compose": ByCompose, "engine": ByHand}
TITLES = {"compose": "by Compose", "engine": "by the engine's API"}
TELLING = {"compose": "rollback_restarting, disk full", "engine": "rollback_verifying, fails"}
BROKEN_CAN_ONLY_BE = {str(State.ROLLING_BACK): "fails"}
"""Where the backup that the way back needs is gone: what the data is then nobody can promise."""


ABOUT = (
    "that is reached over real SSH, with a Docker Engine, a registry and Compose 1. The container is a service of a Compose",
    "project, or it was made by hand and another one lives in its network. Afterwards all that stands is compared with",
    "what stood before, or with what stands when an operator replaces the container without the portal: image, environment,",
    "networks, aliases, ports, mounts, labels, policies, data by checksum, what is answered, and that nothing is left over.",
    "The disk that is full holds the backups and the portal's own files.",
)


@pytest.fixture
def host(container_stage: Stage, settings: Settings, transactional_db: None) -> Iterator[Host]:
    settings.LEASE_SECONDS = 3
    settings.HEARTBEAT_SECONDS = 0.5
    settings.HEALTH_PASSES = 2
    settings.HEALTH_PAUSE_SECONDS = 0.3
    settings.CONTAINER_MIN_FREE_BYTES = 20 * 2**20
    yield Host(container_stage)
    container_stage.empty_disk()


def table(bench: Bench, stage: Stage) -> dict[str, Cell]:
    """All cells of one way, by their names."""
    faults = (killed(), engine_restarted(stage), full(stage), gone(stage))
    return {str(cell): cell for cell in [*cells(bench, *faults), *failing(bench)]}


@pytest.mark.parametrize("word", WAYS)
def test_every_cell_ends_exactly_old_or_exactly_new(
    host: Host, write_report: WriteReport, word: str
) -> None:
    """All cells of one way if this is the long run, else one. What one upgrade leaves must not harm the next."""
    rows: list[Row] = []
    began = time.monotonic()
    bench = Bench.set_up(host, WAYS[word])
    left = [name for name in table(bench, host.stage) if IS_LONG or name == TELLING[word]]
    while left:
        cell = table(bench, host.stage)[left[0]]
        rows.append(carried_out(bench, cell, name=left.pop(0)))
        if rows[-1].complaint or rows[-1].upgrade.outcome == Outcome.BROKEN:
            host.stage.stood.clear()
            bench = Bench.set_up(host, WAYS[word])
        seconds = time.monotonic() - began
        said = report(
            f"container upgrades, {TITLES[word]}", ABOUT, rows, left=left, seconds=seconds
        )
        write_report(f"containers-{word}.md", said)
    close_old_connections()
    assert len(rows) > 1 or not IS_LONG
    assert [str(row) for row in rows if row.is_wrong] == []


def carried_out(bench: Bench, cell: Cell, *, name: str) -> Row:
    started = time.monotonic()
    upgrade = bench.carry_out(cell)
    complaint = bench.complaint(upgrade)
    seconds = time.monotonic() - started
    may_break = BROKEN_CAN_ONLY_BE.get(str(cell.state)) == cell.fault.name
    return Row(name, upgrade, seconds, complaint or bench.make_old(upgrade), may_break)
