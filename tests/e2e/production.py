"""The production set (compose.yaml, compose.upgrade.yaml), brought up as README.md says, on a private engine."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import requests

from tests.environment.docker import COMMAND_SECONDS, DockerEngine
from tests.environment.portal_images import REPOSITORY, ROOT
from tests.environment.programs import program
from tests.environment.waiting import wait_until

PROJECT = "fleet"
PORT = 18080
START_SECONDS = 300
FILES = ("compose.yaml", "compose.upgrade.yaml")


class Production:
    """A directory with the two Compose files and `.env`, and what Compose makes of them. `version` is the image's tag.

    `more` are further variables.
    """

    def __init__(
        self,
        engine: DockerEngine,
        folder: Path,
        *,
        version: str,
        image: str = REPOSITORY,
        **more: str,
    ) -> None:
        self.engine = engine
        self.folder = folder
        self.url = f"http://{engine.address}:{PORT}"
        folder.mkdir(parents=True)
        for name in FILES:
            shutil.copy(ROOT / name, folder)
        variables = self._as_the_readme_says() | {
            "COMPOSE_PROJECT_NAME": PROJECT,
            "IMAGE_NAME": image,
            "IMAGE_TAG": version,
            "LISTEN": f"0.0.0.0:{PORT}",
            "ALLOWED_HOSTS": engine.address,
            "DOCKER_SOCKET": str(engine.socket),
            **more,
        }
        (folder / ".env").write_text(
            "".join(f"{name}={value}\n" for name, value in variables.items())
        )

    def _as_the_readme_says(self) -> dict[str, str]:
        """The variables of the file `.env` that its lines for the shell make."""
        said = (ROOT / "README.md").read_text().partition("## Run it in production")[2]
        script = said.partition("```sh\n")[2].partition("```")[0]
        subprocess.run(["sh", "-euc", script], cwd=self.folder, check=True, timeout=COMMAND_SECONDS)
        lines = (self.folder / ".env").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines)

    def compose(self, *words: str, upgrades: bool = False) -> str:
        """What `docker-compose WORDS` printed, with the overlay for upgrades or without; RuntimeError if it failed."""
        named = [word for name in FILES[: 1 + upgrades] for word in ("-f", name)]
        finished = subprocess.run(
            [program("docker-compose", package="docker-compose"), *named, *words],
            cwd=self.folder,
            # Nothing else of ours: what the shell sets counts more than `.env`.
            env={"PATH": os.environ["PATH"], "DOCKER_HOST": self.engine.url},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        if finished.returncode:
            raise RuntimeError(f"docker-compose {' '.join(words)}: {finished.stderr[-2000:]}")
        return finished.stdout

    def up(self, *, upgrades: bool = False) -> None:
        """All of it runs, and the portal says that it is ready to work."""
        self.compose("up", "--detach", "--no-build", upgrades=upgrades)
        try:
            wait_until(
                lambda: self.ask("/readyz") == (200, "ready"),
                seconds=START_SECONDS,
                what="the portal is ready",
            )
        except TimeoutError as error:
            said = self.compose("ps") + self.compose("logs", "--no-color", "--tail", "20")
            raise RuntimeError(f"{error}; {self.ask('/readyz')}\n{said}") from None

    def ask(self, path: str) -> tuple[int, str]:
        """The status of an answer and what it says its status is; 0 while nobody answers."""
        try:
            answer = requests.get(self.url + path, timeout=10)
            return answer.status_code, str(answer.json().get("status"))
        except (requests.RequestException, ValueError):
            return 0, ""

    def password(self) -> str:
        """The one that the first start made for `admin`, and told the log."""
        said = self.compose("logs", "--no-color", "web")
        found = re.search(r"Made the user admin with the password (\S+)", said)
        assert found, said
        return found[1]

    def sign_in(self, password: str) -> requests.Session:
        """A browser's session of `admin`."""
        session = requests.Session()
        session.get(f"{self.url}/login/", timeout=30).raise_for_status()
        form = {
            "username": "admin",
            "password": password,
            "csrfmiddlewaretoken": session.cookies["csrftoken"],
        }
        answer = session.post(f"{self.url}/login/", data=form, timeout=30, allow_redirects=False)
        assert answer.status_code == 302, answer.text
        return session

    def container(self, service: str) -> dict[str, Any]:
        """What the engine says of the service's (first) container."""
        found = self.compose("ps", "--quiet", service, upgrades=True).split()
        return inspected(self.engine, found[0])

    def remove(self) -> None:
        """The engine has nothing of it any more, except images."""
        self.compose("down", "--volumes", "--timeout", "5", upgrades=True)


def inspected(engine: DockerEngine, name: str) -> dict[str, Any]:
    """What the engine says of a container or an image."""
    found: dict[str, Any] = json.loads(engine.docker("inspect", name))[0]
    return found
