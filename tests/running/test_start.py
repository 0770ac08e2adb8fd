"""`manage.py start`: a program that waits for its database can be told to stop, also as process 1 of a container."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.environment.programs import need_root
from tests.running.portal_up import portal_environment

pytestmark = pytest.mark.e2e

AS_FIRST = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")
PATIENCE_SECONDS = 20


@pytest.mark.parametrize("name", ["worker", "scheduler"])
def test_one_that_waits_ends_when_it_is_told_to(tmp_path: Path, name: str) -> None:
    need_root("a process namespace of its own")
    database = {"DATABASE_URL": f"sqlite:///{tmp_path / 'never-made.sqlite3'}"}
    with subprocess.Popen(
        [*AS_FIRST, sys.executable, "manage.py", "start", name],
        env=portal_environment(tmp_path, database),
        stdout=subprocess.PIPE,
    ) as apart:
        try:
            assert apart.stdout is not None
            assert apart.stdout.readline().startswith(b"waiting for the database")
            first = Path(f"/proc/{apart.pid}/task/{apart.pid}/children").read_text().split()
            os.kill(int(first[0]), signal.SIGTERM)
            assert apart.wait(timeout=PATIENCE_SECONDS) == 0
        finally:
            apart.kill()
