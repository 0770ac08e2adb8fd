"""What soaks share. `make soak` sets SOAK=1, which makes them long and lets them write their reports."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.conftest import container as container
from tests.e2e.conftest import device as device
from tests.e2e.conftest import own_sshd as own_sshd
from tests.e2e.conftest import start_portal as start_portal
from tests.e2e.conftest import uploaded as uploaded
from tests.e2e.conftest import write_artifact as write_artifact

REPORTS = Path(__file__).parents[2] / "portal" / "docs" / "soak"
IS_LONG = os.environ.get("SOAK") == "1"

WriteReport = Callable[[str, str], None]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.e2e)


@pytest.fixture
def write_report() -> WriteReport:
    """Writes a report into portal/docs/soak, if this is the long run."""

    def write(name: str, text: str) -> None:
        if IS_LONG:
            REPORTS.mkdir(parents=True, exist_ok=True)
            (REPORTS / name).write_text(text)

    return write


def commit() -> str:
    """The short name of what is tested here; empty where git does not know."""
    asked = ["git", "rev-parse", "--short", "HEAD"]
    here = Path(__file__).parent
    return subprocess.run(
        asked, cwd=here, capture_output=True, text=True, check=False
    ).stdout.strip()
