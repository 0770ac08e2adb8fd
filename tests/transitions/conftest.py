"""One worker, one device, one database connection: whoever cuts the power is the Update Module itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import Settings

from tests.environment.small_disk import small_disk
from tests.transitions.played import FolderDevice


@pytest.fixture
def device(db: None, tmp_path: Path) -> FolderDevice:
    return FolderDevice(tmp_path / "root")


@pytest.fixture
def small_device(db: None, tmp_path: Path) -> Iterator[FolderDevice]:
    """One with hardly more room than an upgrade asks for."""
    with small_disk(tmp_path / "disk", mebibytes=24):
        yield FolderDevice(tmp_path / "disk" / "root")


@pytest.fixture(autouse=True)
def only_one_connection(settings: Settings) -> None:
    """The heartbeat, a thread of its own, would not see what the test's transaction holds."""
    settings.HEARTBEAT_SECONDS = 3600
    settings.LEASE_SECONDS = 3600


@pytest.fixture(autouse=True)
def boots_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder is back as soon as it is gone."""
    monkeypatch.setattr("devices.drivers.linked_shell._FIRST_PAUSE_SECONDS", 0.02)
