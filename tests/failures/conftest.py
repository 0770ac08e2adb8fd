"""Devices that are played by folders, and a portal that soon notices what has happened to its workers."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_django import Settings

from tests.environment.ssh_fleet import own_sshd as own_sshd
from tests.failures.played_device import PlayedDevice


@pytest.fixture
def device(transactional_db: None, tmp_path: Path) -> PlayedDevice:
    return PlayedDevice(tmp_path / "root")


@pytest.fixture(autouse=True)
def impatient_portal(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Dead workers are noticed, and cancels heard, within a fraction of a second."""
    settings.LEASE_SECONDS = 0.4
    settings.HEARTBEAT_SECONDS = 0.1
    monkeypatch.setattr("updates.journal.database.LOOK_SECONDS", 0.1)
