"""One program that the supervisor runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from portal.supervisor.child import Child
from portal.supervisor.program import Program
from tests.environment.waiting import wait_until

pytestmark = pytest.mark.e2e


def test_one_that_ends_as_it_is_asked_to_is_seen_to_end(tmp_path: Path) -> None:
    child = Child(Program("brief", ("sh", "-c", "exit 3"), 1), folder=tmp_path, inherited=())
    with child.start() as output:
        assert output.read() == b"", "it has ended"
        wait_until(lambda: _is_zombie(child.pid), seconds=5, what="its end")
        child.ask_to_end()
        assert child.has_ended() == "status 3"
        assert child.has_ended() is None, "it is said once"


def _is_zombie(pid: int | None) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
