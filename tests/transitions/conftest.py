"""One worker, one device, one database connection: whoever cuts the power is the Update Module itself."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_django import Settings

from tests.transitions.played import FolderDevice


@pytest.fixture
def device(db: None, tmp_path: Path) -> FolderDevice:
    return FolderDevice(tmp_path / "root")


@pytest.fixture(autouse=True)
def only_one_connection(settings: Settings) -> None:
    """The heartbeat, a thread of its own, would not see what the test's transaction holds."""
    settings.HEARTBEAT_SECONDS = 3600
    settings.LEASE_SECONDS = 3600
