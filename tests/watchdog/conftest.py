"""A portal with a folder that it shares with a watchdog."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import Settings

from portal.core.actors import PORTAL
from tests.containers.ledger import SPOILS, UNWELL, V1, V2
from tests.environment.workdir import workdir
from tests.watchdog.orders import WHY, take
from tests.watchdog.records import new_folder
from tests.watchdog.stage import PortalStage
from updates.models import Upgrade
from updates.services.portal_upgrades import upgrade_portal
from updates.watchdog.durable import locked
from updates.watchdog.folder import Folder
from updates.watchdog.heartbeat import Heart
from updates.watchdog.journal import FileJournal


@pytest.fixture
def folder(tmp_path: Path, settings: Settings) -> Folder:
    settings.AUTO_UPGRADE_ENABLED = True
    settings.DATA_DIR = tmp_path
    settings.IMAGE_NAME = "registry.example/fleetwright"
    return new_folder(tmp_path)


@pytest.fixture
def alive(folder: Folder) -> Iterator[Heart]:
    """Somebody who beats and holds the lock as a watchdog does, and takes nothing."""
    with locked(folder.holder, waits=False) as is_ours:
        assert is_ours
        with Heart(folder, interval=60, version="1") as heart:
            yield heart


@pytest.fixture
def ordered_one(folder: Folder, alive: Heart) -> Upgrade:
    return upgrade_portal(version="2.0.0", actor=PORTAL, reason=WHY)


@pytest.fixture
def taken(folder: Folder, ordered_one: Upgrade) -> FileJournal:
    return take(folder)


@pytest.fixture(scope="session")
def built() -> Iterator[PortalStage]:
    stage = PortalStage(workdir() / "portal-stage")
    for version in (V1, V2, UNWELL, SPOILS):
        stage.ledger.release(version)
    yield stage
    stage.remove()


@pytest.fixture
def portal_stage(built: PortalStage) -> Iterator[PortalStage]:
    """It runs 1.0.0, and has something to lose."""
    built.ledger.release(V1, "latest")
    built.engine.docker("pull", "--quiet", built.ledger.reference("latest"))
    built.up()
    (built.data / "book").write_text("a line\n")
    built.leave_word()
    yield built
    built.kill()
    built.down()
