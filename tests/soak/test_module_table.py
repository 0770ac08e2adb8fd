"""The failure table of module updates: every state, and all that can go wrong in it, on a device with an engine of its own."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from django.db import close_old_connections
from pytest_django import Settings

from tests.environment.docker import DockerEngine, private_engine
from tests.environment.workdir import workdir
from tests.modules.faults import (
    cells,
    cut,
    engine_stopped,
    failing,
    full,
    gone,
    killed,
    lift_limit,
    limit_room,
)
from tests.modules.host import Host
from tests.modules.stage import Stage
from tests.modules.table import Bench, Cell
from tests.soak.conftest import IS_LONG, WriteReport
from tests.soak.failure_table import Row, report
from updates.machine import Outcome, State

HANDFUL = ("installing, engine stopped", "backing_up, fails", "rolling_back, device cut off")
BROKEN_CAN_ONLY_BE = {str(State.ROLLING_BACK): "fails"}
"""Where the way back itself cannot be gone: what the device has then nobody can promise."""


ABOUT = (
    "with systemd (a container), over real SSH, with a Docker Engine and a registry. Afterwards what the device has is",
    "compared, by checksum, with the version before and the new one: files, environment, units, images, and what the service",
    "answers. The disk that is full is the instance's; the way back of that has to do without room, too.",
)


@pytest.fixture
def stage(docker_engine: DockerEngine) -> Iterator[Stage]:
    """A device whose engine is not the one that the device itself runs on: it can be stopped."""
    engine = private_engine(workdir() / "engine-of-modules")
    stage = Stage(engine, workdir() / "registry-of-modules", runs_on=docker_engine)
    yield stage
    stage.remove()
    engine.remove()


@pytest.fixture
def host(stage: Stage, settings: Settings, transactional_db: None) -> Iterator[Host]:
    settings.LEASE_SECONDS = 3
    settings.HEARTBEAT_SECONDS = 0.5
    settings.HEALTH_LIMIT_SECONDS = 20
    settings.HEALTH_PASSES = 2
    settings.HEALTH_PAUSE_SECONDS = 0.3
    host = Host(stage.device(), stage.engine, is_apart=True)
    limit_room(host)
    yield host
    host.reset()
    lift_limit(host)


def test_every_cell_ends_exactly_old_or_exactly_new(
    host: Host, stage: Stage, write_report: WriteReport
) -> None:
    """All cells if this is the long run, else a handful. One device for all: what one upgrade leaves must not harm the next."""
    bench = Bench.set_up(host, stage)
    faults = (killed(), engine_stopped(stage), gone(stage), cut(host), full(host))
    table = [*cells(bench, *faults), *failing(bench)]
    names = [str(cell) for cell in table if IS_LONG or str(cell) in HANDFUL]
    assert IS_LONG or len(names) == len(HANDFUL)
    rows: list[Row] = []
    began = time.monotonic()
    for number, name in enumerate(names, start=1):
        # A new instance, after one that broke, has cells of its own.
        cell = next(one for one in [*cells(bench, *faults), *failing(bench)] if str(one) == name)
        row = carried_out(bench, cell)
        rows.append(row)
        if row.complaint or row.upgrade.outcome == Outcome.BROKEN:
            host.reset()
            bench = Bench.set_up(host, stage)
        else:
            bench.make_old(row.upgrade)
        seconds = time.monotonic() - began
        said = report("module updates", ABOUT, rows, left=names[number:], seconds=seconds)
        write_report("modules.md", said)
    close_old_connections()
    assert [str(row) for row in rows if row.is_wrong] == []


def carried_out(bench: Bench, cell: Cell) -> Row:
    started = time.monotonic()
    upgrade = bench.carry_out(cell)
    complaint = bench.complaint(upgrade)
    may_break = BROKEN_CAN_ONLY_BE.get(str(cell.state)) == cell.fault.name
    return Row(str(cell), upgrade, time.monotonic() - started, complaint, may_break)
