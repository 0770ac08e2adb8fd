"""Ledgers as operators deploy them: by Compose from two files, and by the engine's command line."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from tests.containers.ledger import PORT, V1, Ledger, Version
from tests.containers.stage import Stage
from tests.environment.docker import COMMAND_SECONDS
from tests.environment.module_images import build_image, busybox_files

FLOATING: Final = "stable"
PUBLISHED: Final = 18081
HELPER: Final = "helper.example/busybox:1"
STAYS: Final = "trap 'exit 0' TERM; while :; do sleep 0.2; done"

BASE: Final = """\
version: "2.4"
services:
  web:
    image: ${LEDGER_IMAGE}
    container_name: books-of-the-shop
    environment:
      GREETING: ${GREETING}
      PLACE: base
      LISTEN: 10.77.1.10
    volumes: ["shop-books:/data", "./pages:/pages:ro"]
    restart: always
    stop_grace_period: 3s
    networks:
      a-front: {aliases: [ledger]}
      b-back: {aliases: [books.example], ipv4_address: 10.77.1.10}
  beside:
    image: helper.example/busybox:1
    restart: always
    network_mode: "service:web"
  store:
    image: helper.example/busybox:1
    restart: always
    networks: [a-front]
networks:
  a-front: {}
  b-back:
    ipam: {config: [{subnet: 10.77.1.0/24}]}
volumes:
  shop-books: {name: shop-books}
"""
OVERLAY: Final = """\
version: "2.4"
services:
  web:
    environment: {PLACE: overlay}
    labels: {owner: "us and them"}
    cap_drop: [NET_RAW]
"""


class Deployed(Protocol):
    """One way of deploying a ledger: its container, its volume, containers that live in its network.

    It answers at `url` on the device, and at `url_beside` to those that live in its network. `probe` is how the portal is to
    ask there: by Compose that is at the container, whatever network it listens in.
    """

    ledger: Ledger
    name: str
    volume: str
    dependants: tuple[str, ...]
    url: str
    url_beside: str

    @property
    def probe(self) -> dict[str, object]: ...

    def up(self, version: Version) -> None:
        """That version runs, in place of another one, as an operator would do it by hand."""
        ...

    def typed(self) -> str:
        """The reference that it was deployed with."""
        ...

    def remove(self) -> None:
        """Nothing is left of it but its data."""
        ...


Way = Callable[[Stage, Ledger], Deployed]


@dataclass
class ByCompose:
    """From two files and a `.env`. It listens in its second network alone, and its service is called otherwise than itself."""

    stage: Stage
    ledger: Ledger
    tag: str = FLOATING
    name: str = "books-of-the-shop"
    volume: str = "shop-books"
    dependants: tuple[str, ...] = ("shop_beside_1",)
    url: str = f"http://10.77.1.10:{PORT}/"
    url_beside: str = f"http://10.77.1.10:{PORT}/"

    def __post_init__(self) -> None:
        helper(self.stage)
        self.folder = self.stage.root / "srv" / "shop"
        self.write()

    @property
    def probe(self) -> dict[str, object]:
        return {"kind": "container_http", "container": self.name, "port": PORT, "path": "/"}

    def write(self, *, base: str = BASE, overlay: str = OVERLAY) -> None:
        """The files are there."""
        (self.folder / "pages").mkdir(parents=True, exist_ok=True)
        (self.folder / "compose.yml").write_text(base)
        (self.folder / "prod.yml").write_text(overlay)
        variables = f"LEDGER_IMAGE={self.typed()}\nGREETING=good morning, all\n"
        (self.folder / ".env").write_text(variables)

    def typed(self) -> str:
        return self.ledger.reference(self.tag)

    def up(self, version: Version) -> None:
        self.write()
        self.stage.engine.docker("pull", "--quiet", self.ledger.release(version, self.tag))
        self.stage.engine.docker("tag", self.ledger.reference(version.number), self.typed())
        self.compose("up", "-d", "-t", "3")
        # Compose 1 leaves it in the network of a container that is not there any more.
        self.compose("up", "-d", "-t", "0", "--force-recreate", "--no-deps", "beside")

    def compose(self, *words: str) -> None:
        """`docker-compose -f … WORDS`, as an operator calls it."""
        finished = subprocess.run(
            ["docker-compose", "-p", "shop", "-f", "compose.yml", "-f", "prod.yml", *words],
            cwd=self.folder,
            env={**os.environ, "DOCKER_HOST": self.stage.engine.url},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        if finished.returncode:
            raise RuntimeError(f"docker-compose {' '.join(words)}: {finished.stderr}")

    def remove(self) -> None:
        self.write()
        self.compose("down", "-t", "0")
        shutil.rmtree(self.folder)


@dataclass
class ByHand:
    """By `docker run`: two networks with aliases and an address, a published port, a container that lives in its network."""

    stage: Stage
    ledger: Ledger
    tag: str = ""
    name: str = "our-ledger"
    volume: str = "our-books"
    dependants: tuple[str, ...] = ("beside",)
    url: str = f"http://127.0.0.1:{PUBLISHED}/"
    url_beside: str = f"http://127.0.0.1:{PORT}/"

    def __post_init__(self) -> None:
        helper(self.stage)
        self._typed = f"{self.ledger.repository}:{self.tag or V1.number}"
        self._pages = self.stage.root / "srv" / "pages"
        self._words = [
            *("--network", "inner", "--network-alias", "books.example", "--ip", "10.77.2.10"),
            *("--publish", f"{PUBLISHED}:{PORT}", "--restart", "always", "--hostname", "books-1"),
            *("--env", "GREETING=good  morning; 'all' $HOME", "--label", "owner=us and them"),
            *(
                "--volume",
                f"{self.volume}:/data",
                "--volume",
                f"{self._pages}:/pages:ro",
                "--tmpfs",
                "/tmp",
            ),
            *("--cap-drop", "NET_RAW", "--add-host", "one.example:10.0.0.1", "--stop-timeout", "3"),
            *("--log-opt", "max-size=1m"),
        ]

    @property
    def probe(self) -> dict[str, object]:
        return {"kind": "http", "url": self.url}

    def typed(self) -> str:
        return self._typed

    def up(self, version: Version) -> None:
        docker = self.stage.engine.docker
        self._pages.mkdir(parents=True, exist_ok=True)
        reference = self.ledger.release(version)
        self._typed = f"{self.ledger.repository}:{self.tag}" if self.tag else reference
        docker("pull", "--quiet", reference)
        docker("tag", reference, self._typed)
        if not self.stage.engine.attempt("network", "inspect", "inner").returncode:
            scratch = self._scratch()
            docker("rm", "--force", *self.dependants, self.name)
        else:
            scratch = []
            docker("network", "create", "--subnet", "10.77.2.0/24", "inner")
            docker("network", "create", "--subnet", "10.77.3.0/24", "outer")
            docker(
                *[
                    "run",
                    "--detach",
                    "--name",
                    "neighbour",
                    "--network",
                    "inner",
                    "--restart",
                    "always",
                ],
                HELPER,
            )
        docker("create", "--name", self.name, *self._words, *scratch, self._typed)
        docker("network", "connect", "--alias", "shop", "outer", self.name)
        docker("start", self.name)
        beside = ("run", "--detach", "--name", "beside", "--network", f"container:{self.name}")
        docker(*beside, "--restart", "always", HELPER)

    def _scratch(self) -> list[str]:
        """The volume that has no name but the engine's stays the container's."""
        form = '{{range .Mounts}}{{if eq .Destination "/scratch"}}{{.Name}}{{end}}{{end}}'
        name = self.stage.engine.docker("inspect", "--format", form, self.name)
        return ["--volume", f"{name}:/scratch"]

    def remove(self) -> None:
        engine = self.stage.engine
        for name in (*self.dependants, self.name, "neighbour"):
            engine.attempt("rm", "--force", "--volumes", name)
        for name in ("inner", "outer"):
            engine.attempt("network", "rm", name)
        shutil.rmtree(self._pages, ignore_errors=True)


@dataclass
class InFolder(ByHand):
    """The same, with its data in a folder of the device instead of a volume."""

    def __post_init__(self) -> None:
        self.volume = str(self.stage.root / "srv" / "our books")
        super().__post_init__()


@dataclass
class Quiet(ByHand):
    """The same, of which the engine keeps no words."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._words = [*self._words[:-2], "--log-driver", "none"]


def helper(stage: Stage) -> None:
    """The engine has a small image for containers that only stay."""
    if stage.engine.attempt("image", "inspect", HELPER).returncode:
        runs = f'ENV PATH=/bin\nCMD ["/bin/sh", "-c", "{STAYS}"]'
        build_image(stage.engine, HELPER, busybox_files(), dockerfile=runs)


def mountpoint(stage: Stage, volume: str) -> Path:
    """Where the contents of a volume lie; a folder lies where it says."""
    if volume.startswith("/"):
        return Path(volume)
    form = "{{.Mountpoint}}"
    return Path(stage.engine.docker("volume", "inspect", "--format", form, volume))
