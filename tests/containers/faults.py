"""What can go wrong around a container's upgrade: workers, engines, registries, disks, and what somebody does meanwhile."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

from tests.containers.deployed import PUBLISHED
from tests.containers.ledger import NEVER_STARTS, UNWELL, V2, Version
from tests.containers.stage import Stage
from tests.containers.table import Bench, Cell
from tests.environment.doors import listening_in
from tests.failures.door import Fault
from updates.machine import State

MISSING = Version("9.9.9")
"""A version that its maker never released."""


def killed() -> Fault:
    """The worker dies without a word; another one goes on."""
    return Fault("worker killed", dies=True)


def engine_restarted(stage: Stage) -> Fault:
    """The engine is shut down, its containers with it, and started again after a while."""
    return Fault("engine restarted", stage.engine.stop, stage.engine.start, passes=True)


def full(stage: Stage) -> Fault:
    """There is no room where the device keeps its backups and the portal's files, until the upgrade is over."""
    return Fault("disk full", stage.fill_disk, stage.empty_disk)


def gone(stage: Stage) -> Fault:
    """Nobody listens where the registry was."""
    return Fault("registry gone", stage.registry.stop, stage.registry.start)


def failing(bench: Bench) -> Iterator[Cell]:
    """In each state that does something on the device, that fails."""
    host, ledger = bench.host, bench.deployed.ledger
    blobs = ledger.registry.data / "docker" / "registry" / "v2" / "blobs"
    away = blobs.with_name("away")

    def newest() -> Path:
        return host.backups / sorted(host.backup_files())[-1]

    def spoil_newest() -> None:
        kept.append((newest(), newest().read_bytes()))
        newest().write_bytes(b"no archive")

    def mend() -> None:
        for path, content in kept:
            path.write_bytes(content)
        kept.clear()

    kept: list[tuple[Path, bytes]] = []
    ledger.release(NEVER_STARTS)
    yield Cell(State.CHECKING, Fault("fails"), MISSING)
    yield Cell(State.BACKING_UP, _blocked(host.backups), V2)
    lost = Fault("fails", lambda: blobs.rename(away), lambda: away.rename(blobs))
    yield Cell(State.DOWNLOADING, lost, V2)
    yield Cell(State.INSTALLING, Fault("fails", lambda: _untag(bench, V2)), V2)
    yield Cell(State.RESTARTING, Fault("fails"), NEVER_STARTS)
    yield Cell(State.VERIFYING, Fault("fails"), UNWELL)
    yield Cell(State.ROLLING_BACK, Fault("fails", spoil_newest, mend), UNWELL)
    stop = Fault("fails", lambda: host.engine.docker("kill", bench.deployed.name))
    yield Cell(State.ROLLBACK_VERIFYING, stop, UNWELL)
    if bench.deployed.url.endswith(f":{PUBLISHED}/"):
        yield Cell(State.ROLLBACK_RESTARTING, _port_taken(bench), UNWELL)


def _blocked(folder: Path) -> Fault:
    """A file stands where the folder was."""
    aside = folder.with_name(f"{folder.name}-aside")

    def begin() -> None:
        folder.mkdir(parents=True, exist_ok=True)
        folder.rename(aside)
        folder.write_text("in the way")

    def end() -> None:
        folder.unlink()
        aside.rename(folder)

    return Fault("fails", begin, end)


def _untag(bench: Bench, version: Version) -> None:
    """Somebody prunes what was just fetched, by all of its names."""
    engine = bench.host.engine
    form = "{{.Id}}"
    digest = f"{bench.deployed.ledger.repository}@{bench.deployed.ledger.digest(version)}"
    found = engine.docker("image", "inspect", "--format", form, digest)
    engine.docker("rmi", "--force", found)


def _port_taken(bench: Bench) -> Fault:
    """For a while somebody else listens where the old container is to listen again."""
    taken: list[socket.socket] = []

    def begin() -> None:
        taken.append(listening_in(bench.host.engine.network, PUBLISHED))

    def end() -> None:
        taken.pop().close()

    return Fault("fails", begin, end, passes=True)
