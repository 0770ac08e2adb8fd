"""Groups of programs, each in a folder of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.running.portal_up import PortalUp

StartUp = Callable[..., PortalUp]


@pytest.fixture
def start_up(tmp_path: Path) -> Iterator[StartUp]:
    """Starts `manage.py up` in the test's folder, with the variables given; whatever runs at the end is stopped."""
    started: list[PortalUp] = []

    def start(*, terminal: int | None = None, tls: bool = False, **env: str) -> PortalUp:
        var = tmp_path / "var"
        database = {"DATABASE_URL": f"sqlite:///{var / 'fleetwright.sqlite3'}"}
        started.append(PortalUp(var=var, env={**database, **env}, terminal=terminal, tls=tls))
        return started[-1]

    yield start
    for group in started:
        group.end()
