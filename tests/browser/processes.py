"""The portal's web server and worker, as they run in earnest, over the test's database and Redis."""

from __future__ import annotations

import sys
from pathlib import Path

from portal.supervisor import ports, programs
from tests.environment import database
from tests.environment.child import Child
from tests.environment.ports import free_port
from tests.environment.waiting import wait_until
from tests.environment.workdir import workdir

ROOT = Path(__file__).parents[2]
HOST = "127.0.0.1"
START_SECONDS = 60


class WebServer:
    """Answers at `url`: for the browser, or at another address of this machine for who cannot reach that one."""

    def __init__(self, *, host: str = HOST) -> None:
        self._host, self._port = host, free_port()
        self.url = f"http://{host}:{self._port}"
        self.start()

    def start(self) -> None:
        """It answers, at the address that it had before."""
        command = programs.web(host=self._host, port=self._port).command
        self._child = _started("web", f"ALLOWED_HOSTS={self._host}", *command)
        wait_until(
            lambda: ports.listens(self._host, self._port) or not self._child.running,
            seconds=START_SECONDS,
            what=self.url,
        )
        assert self._child.running, self._child.tail()

    @property
    def is_running(self) -> bool:
        return self._child.running

    def tail(self) -> str:
        """The last that it wrote to its log."""
        return self._child.tail()

    def stop(self) -> None:
        self._child.stop()


class Worker:
    """Carries out what is on the queue, until it is stopped."""

    def __init__(self) -> None:
        self._child = _started("worker", sys.executable, "manage.py", "rqworker", "updates")

    def stop(self) -> None:
        self._child.stop()


def _started(name: str, *command: str) -> Child:
    where = [f"DATABASE_URL={database.url()}", "DJANGO_SETTINGS_MODULE=portal.settings"]
    return Child(["env", f"--chdir={ROOT}", *where, *command], log=workdir() / f"{name}.log")
