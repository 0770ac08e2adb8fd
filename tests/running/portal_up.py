"""`manage.py up`, as an operator runs it."""

from __future__ import annotations

import json
import os
import signal
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.e2e.portal_process import ROOT, descendants
from tests.environment.ports import free_port
from tests.environment.waiting import wait_until

UP = (sys.executable, "manage.py", "up", "--workers=1")
READY_SECONDS = 300
STOP_SECONDS = 120
"""How long a busy machine may take: alone it is a few seconds."""


class PortalUp:
    """The running command, on a port of its own. Its output is collected in a file."""

    def __init__(
        self,
        *,
        var: Path,
        env: Mapping[str, str],
        port: int | None = None,
        terminal: int | None = None,
        tls: bool = False,
    ) -> None:
        """`terminal`: a file descriptor to be its standard input, so that it asks questions there."""
        var.mkdir(parents=True, exist_ok=True)
        self.var = var
        self.port = port or free_port()
        self.tls = tls
        self.log = var / "up.log"
        self.env = portal_environment(var, env)
        self.starts_at = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                [*UP, f"--port={self.port}", *(["--tls"] if tls else [])],
                cwd=ROOT,
                env=self.env,
                stdin=subprocess.DEVNULL if terminal is None else terminal,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def certificate(self) -> Path:
        """What whoever talks to it over TLS has to trust."""
        return self.var / "tls" / "certificate.pem"

    @property
    def said(self) -> str:
        return self.log.read_bytes()[self.starts_at :].decode(errors="replace")

    def family(self) -> list[int]:
        return descendants(self.pid)

    def program(self, words: str) -> int:
        """The id of the program below it whose command line holds `words`; its parent is the group's head itself."""
        for child in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split():
            try:
                line = Path(f"/proc/{child}/cmdline").read_text()
            except FileNotFoundError:
                continue  # Ended since its parent was asked.
            if words in line.replace("\0", " "):
                return int(child)
        raise LookupError(f"{words} does not run")

    def get(self, path: str) -> tuple[int, Any]:
        """Status of an answer and, if it is a good one, its JSON; status 0 while nobody answers."""
        try:
            trust = ssl.create_default_context(cafile=self.certificate) if self.tls else None
            with urllib.request.urlopen(self.url + path, timeout=10, context=trust) as answer:  # noqa: S310 - ours
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, None
        except OSError:
            return 0, None

    def wait_until_ready(self) -> None:
        wait_until(
            lambda: self.get("/readyz")[0] == 200 or self._process.poll() is not None,
            seconds=READY_SECONDS,
            what="an answer of /readyz that all is well",
        )
        assert self._process.poll() is None, self.said

    def refusal(self) -> str:
        """What it says when it ends at once, which it has to do with a failure."""
        assert self._process.wait(READY_SECONDS) != 0
        return self.said

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def wait(self) -> int:
        return self._process.wait(STOP_SECONDS)

    def stop(self) -> int:
        """Asked to end; its exit status."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def kill(self) -> None:
        """Ended without being asked; what the kernel does to its family is what some tests look at."""
        self._process.kill()
        self._process.wait()

    def end(self) -> None:
        """For fixtures: it has ended, in whichever state a test left it."""
        if self._process.poll() is None:
            self.stop()


def portal_environment(var: Path, env: Mapping[str, str]) -> dict[str, str]:
    """The variables of a program of a portal of its own, which keeps its files in `var` and knows nothing of the tests."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name not in ("REDIS_URL", "DJANGO_SETTINGS_MODULE", "LOCALHOST_ROOT")
    }
    return {**inherited, "FLEETWRIGHT_VAR": str(var), **env}
