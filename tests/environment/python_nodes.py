"""Real Python systems that carry the agent: a threaded service, or a master with workers, each from a folder of its own."""

from __future__ import annotations

import itertools
import json
import os
import secrets
import shutil
import signal
import socket
import sys
import tempfile
from pathlib import Path
from typing import Any

from devices.drivers.dial import Dial, dial_straight
from devices.drivers.python_node import fleetwright_agent
from devices.drivers.python_node.doors import PythonAddress
from devices.drivers.python_node.runtime import Limits, PythonNode
from tests.environment.child import Child
from tests.environment.waiting import wait_until
from tests.environment.workdir import workdir

SERVICE = Path(__file__).with_name("python_service")
START_SECONDS = 20
CALL_SECONDS = 10
WORKERS = 2
QUICK = Limits(connect=1.5, inspect=5, check=10, apply=20, on_load=2, grace=0.7)

_numbers = itertools.count(1)


class PythonService:
    """A system whose files are in `root`. `program`: "main" is threaded, "prefork" a master with two workers.

    It has its agent's folder, its key and its consoles where paths are short. Remove it when done.
    """

    def __init__(self, root: Path, *, program: str = "main", port: int | None = None) -> None:
        self.root, self._program, self.port = root, program, port
        self.home = Path(tempfile.mkdtemp(prefix=f"py{next(_numbers)}-", dir=workdir()))
        self.folder, self._consoles = self.home / "agent", self.home / "consoles"
        self._consoles.mkdir()
        self.key = secrets.token_hex(16).encode()
        (self.home / "key").write_bytes(self.key + b"\n")
        (self.home / "carried").mkdir()
        shutil.copy(fleetwright_agent.__file__, self.home / "carried")
        if not root.exists():
            leave_out = shutil.ignore_patterns("__pycache__")
            shutil.copytree(SERVICE, root, ignore=leave_out)
        self._child: Child | None = None

    def runtime(
        self, *, key: bytes | None = None, limits: Limits = QUICK, dial: Dial = dial_straight
    ) -> PythonNode:
        """The product's way to it: through the port if it has one, else the folder."""
        folder = "" if self.port else str(self.folder)
        address = PythonAddress(folder=folder, port=self.port or 0)
        return PythonNode(address, key=key or self.key, limits=limits, dial=dial)

    def start(self) -> None:
        """The service, and each of its workers, answers."""
        variables = {
            "AGENT_FOLDER": str(self.folder),
            "AGENT_KEY_FILE": str(self.home / "key"),
            "AGENT_PORT": str(self.port or ""),
            "CONSOLES": str(self._consoles),
            "PYTHONDONTWRITEBYTECODE": "",
            "PYTHONPATH": str(self.home / "carried"),
        }
        settings = [f"{name}={value}" for name, value in variables.items()]
        program = str(self.root / f"{self._program}.py")
        command = ["env", *settings, sys.executable, "-W", "error", program]
        self._child = Child(command, log=self.home / "log", stop_signal=signal.SIGKILL)
        count = 1 + WORKERS if self._program == "prefork" else 1
        wait_until(
            lambda: len(self.processes()) == count or not self.is_running,
            seconds=START_SECONDS,
            what="the service's consoles",
        )
        if not self.is_running:
            raise RuntimeError(f"The service ended at once:\n{self.tail()}")

    @property
    def is_running(self) -> bool:
        return self._child is not None and self._child.running

    def tail(self) -> str:
        return self._child.tail() if self._child else ""

    def processes(self) -> list[int]:
        """Those that run, the oldest first."""
        found = [path for path in self._consoles.iterdir() if path.name.isdecimal()]
        # Two may have begun within one tick of the file system's clock.
        found.sort(key=lambda path: (path.stat().st_mtime_ns, int(path.name)))
        return [int(path.name) for path in found if _runs(int(path.name))]

    def stop(self) -> None:
        """Nothing of it runs, as if it had been killed."""
        for process in self.processes():
            os.kill(process, signal.SIGCONT)
        if self._child is not None:
            self._child.kill()
        for process in self.processes():
            os.kill(process, signal.SIGKILL)
        wait_until(lambda: not self.processes(), seconds=CALL_SECONDS, what="the service's end")
        for path in self._consoles.iterdir():
            path.unlink()

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.home)

    def restart(self) -> None:
        self.stop()
        self.start()

    def freeze(self, process: int | None = None) -> None:
        """A process, or all of them, are there and do nothing."""
        for number in [process] if process else self.processes():
            os.kill(number, signal.SIGSTOP)

    def value(self, expression: str, *, process: int | None = None) -> Any:  # noqa: ANN401
        """What `expression` is in that process, or in the oldest one. Modules that it names are imported."""
        return self._ask({"value": expression}, process)

    def run(self, statements: str, *, process: int | None = None) -> None:
        """The process has run `statements`; the names that they make stay for later calls."""
        self._ask({"run": statements}, process)

    def write(self, path: str, source: str) -> None:
        """A file of the service."""
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(source)

    def original(self, path: str) -> str:
        """The source of one of its files, as it is before all patches."""
        return (SERVICE / path).read_text()

    def _ask(self, order: dict[str, str], process: int | None) -> Any:  # noqa: ANN401
        number = process or self.processes()[0]
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(CALL_SECONDS)
            line.connect(str(self._consoles / str(number)))
            line.sendall(json.dumps(order).encode() + b"\n")
            with line.makefile() as answers:
                answer = json.loads(answers.readline())
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer["value"]


def _runs(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"
