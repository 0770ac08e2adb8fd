"""A small shop that Docker Compose runs, on a private engine: two files, an overlay's variables, two networks, volumes."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from devices.drivers.local import LocalShell
from devices.drivers.shell import Result
from tests.environment.docker import COMMAND_SECONDS, DockerEngine
from tests.environment.module_images import Entry, build_image, busybox_files
from tests.environment.programs import program
from updates.formats.compose import ComposeProject, project_of
from updates.recipes.container.compose import Compose, ComposeCall, Program

IMAGE = "shop.example/shop"
CONTAINER = "the-shop"

BASE = """\
version: "3.7"
services:
  front:
    image: ${SHOP_IMAGE}
    container_name: the-shop
    environment:
      GREETING: ${GREETING}
      PLACE: base
    volumes: ["data:/data", "/scratch", "./pages:/pages:ro"]
    networks: [inside, outside]
  store:
    image: shop.example/shop:latest
    networks: [inside]
networks:
  inside: {}
  outside: {}
volumes:
  data: {}
"""
OVERLAY = """\
version: "3.7"
services:
  front:
    environment:
      PLACE: overlay
"""
VARIABLES = "SHOP_IMAGE=shop.example/shop:latest\nGREETING=good morning to you\n"
RUNS = """CMD ["/bin/sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.1; done"]"""


class Shop:
    """The project's directory, and what the engine has of it. Nothing runs yet."""

    def __init__(self, engine: DockerEngine, folder: Path) -> None:
        self.engine = engine
        self.folder = folder
        self.shell = LocalShell()
        folder.mkdir(parents=True)
        (folder / "compose.yml").write_text(BASE)
        (folder / "prod.yml").write_text(OVERLAY)
        (folder / ".env").write_text(VARIABLES)

    def release(self, version: str) -> str:
        """The engine has that version under the tag `latest`; its id."""
        files: dict[str, Entry | bytes | str] = {**busybox_files(), "version": version}
        return build_image(self.engine, f"{IMAGE}:latest", files, dockerfile=RUNS)

    def compose_1(self, *words: str, cwd: Path | None = None) -> None:
        """`docker-compose WORDS`, as an operator calls it."""
        command = [program("docker-compose", package="docker-compose"), *words]
        finished = subprocess.run(
            command,
            cwd=cwd or self.folder,
            env={"PATH": os.environ["PATH"], "DOCKER_HOST": self.engine.url},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        if finished.returncode:
            raise RuntimeError(f"docker-compose {' '.join(words)}: {finished.stderr}")

    def up(self, *words: str) -> None:
        """All of it runs, from both files; or what `words` say."""
        files = ["-f", "compose.yml", "-f", "prod.yml"]
        self.compose_1("-p", "shop", *files, "up", *(words or ["-d"]))

    def container(self, name: str = CONTAINER) -> dict[str, Any]:
        """What the engine says of a container."""
        found: dict[str, Any] = json.loads(self.engine.docker("inspect", name))[0]
        return found

    def labels(self, name: str = CONTAINER) -> Mapping[str, str]:
        found: dict[str, str] = self.container(name)["Config"]["Labels"]
        return found

    def project(self, name: str = CONTAINER) -> ComposeProject:
        """What the labels of a container say."""
        found = project_of(self.labels(name))
        assert found is not None
        return found

    def files(self) -> ComposeProject:
        """The same as its labels would say, where no container is needed."""
        return ComposeProject(
            name="shop",
            service="front",
            working_dir=str(self.folder),
            folder=str(self.folder),
            files=tuple(str(self.folder / name) for name in ("compose.yml", "prod.yml")),
        )

    def compose(
        self, project: ComposeProject | None = None, *, container: str = CONTAINER
    ) -> Compose:
        return Compose(
            self.shell,
            Program.found(self.shell),
            project or self.project(),
            container=container,
            docker_host=self.engine.url,
        )

    def run(self, call: ComposeCall) -> Result:
        """The call was made, as a recipe makes it."""
        return self.shell.run(
            call.command, cwd=call.cwd, env=call.env, limit_seconds=COMMAND_SECONDS
        )

    def remove(self) -> None:
        """The engine has nothing of the project any more."""
        label = "label=com.docker.compose.project=shop"
        for kind, listing in (("container", "-aq"), ("volume", "-q"), ("network", "-q")):
            found = self.engine.docker(kind, "ls", listing, "--filter", label).split()
            if found:
                force = ["-f", "-v"] if kind == "container" else []
                self.engine.docker(kind, "rm", *force, *found)
