"""A small portal that Compose runs on a private engine, and its watchdog as a process of its own: the real program."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from tests.containers.ledger import Ledger
from tests.environment.docker import COMMAND_SECONDS, DockerEngine, private_engine
from tests.environment.network import private_network
from tests.environment.programs import need_root, program
from tests.environment.registry import Registry
from updates.machine import State
from updates.plan import BackupPlan, ContainerPlan, InstalledImage, Mode
from updates.watchdog.admission import device_plan
from updates.watchdog.durable import write_whole
from updates.watchdog.folder import Folder
from updates.watchdog.record import Record, records

PROJECT: Final = "portal"
WEB: Final = "the-portal"
SET: Final = (WEB, "portal_worker_1")
HEALTH_SECONDS: Final = 30.0
REPOSITORY: Final = Path(__file__).resolve().parents[2]

# The volume is mounted twice: at /data for the service, and where the watchdog, which runs on the machine here, sees it too.
FILES: Final = """\
version: "3.7"
services:
  web:
    image: {image}:latest
    container_name: the-portal
    volumes: ["data:/data", "data:{place}"]
    restart: unless-stopped
  worker:
    image: {image}:latest
    volumes: ["data:/data", "data:{place}"]
    restart: unless-stopped
    depends_on: [web]
volumes:
  data: {{external: true, name: portal_data}}
"""

# Whatever the watchdog starts dies with it, as in a container; the engine's socket is where it is in one.
APART: Final = """\
mount -t tmpfs tmpfs /run || exit 1
: >/run/docker.sock && mount --bind "$1" /run/docker.sock || exit 1
shift
exec "$@"
"""


class PortalStage:
    """The project runs version 1.0.0 under the tag `latest`, with a book in its volume. `folder` is what both see."""

    def __init__(self, place: Path) -> None:
        need_root("a mount namespace of its own")
        program("docker-compose", package="docker-compose")
        place.mkdir(parents=True)
        self.engine: DockerEngine = private_engine(place / "engine", network=private_network())
        self.registry = Registry(place / "registry")
        self.registry.start()
        self.registry.show_to(self.engine)
        self.ledger = Ledger(self.engine, self.registry, name="portal")
        self.project = place / "project"
        self.project.mkdir()
        self.engine.docker("volume", "create", "portal_data")
        self.data = Path(
            self.engine.docker("volume", "inspect", "--format", "{{.Mountpoint}}", "portal_data")
        )
        self.folder = Folder(self.data)
        self.own = Folder(self.data, own=place / "own")
        files = FILES.format(image=self.ledger.repository, place=self.data)
        (self.project / "compose.yml").write_text(files)
        self._process: subprocess.Popen[bytes] | None = None
        self.log = place / "watchdog.log"

    def remove(self) -> None:
        """Nothing is left of it."""
        self.kill()
        self.registry.remove()
        self.engine.remove()

    def up(self, *, project: str = PROJECT) -> None:
        """The project runs, as an operator starts it."""
        finished = subprocess.run(
            ["docker-compose", "-p", project, "-f", "compose.yml", "up", "-d"],
            cwd=self.project,
            env={**os.environ, "DOCKER_HOST": self.engine.url},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        if finished.returncode:
            raise RuntimeError(f"docker-compose up: {finished.stderr}")

    def leave_word(self) -> None:
        """The portal has said how it wants to be upgraded: to be well within a time that tests can wait for."""
        plan = ContainerPlan(
            upgrade="", device=device_plan(self.folder), mode=Mode.INSTALL, instance_id=1,
            instance="fleetwright", module="fleetwright", image="", installed=InstalledImage(),
            containers=[], project_dir="", probes=[], health_seconds=HEALTH_SECONDS, stop_seconds=10,
            min_free_bytes=2**20, force=False,
            backup=BackupPlan(
                wanted=True, directory=f"{self.data}/backups", keep=1, volumes=[], hook=[], dumps=[]
            ),
        )  # fmt: skip
        place = self.own.records.parent
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(mode=0o700)
        self.folder.make()
        write_whole(self.folder.template, json.dumps(plan.as_json()).encode())

    def down(self) -> None:
        """No container of anybody is there, and no file in the volume."""
        left = self.engine.docker("ps", "--all", "--quiet").split()
        if left:
            self.engine.docker("rm", "--force", *left)
        subprocess.run(
            ["find", str(self.data), "-mindepth", "1", "-delete"], check=True, capture_output=True
        )

    def start(self, **variables: str) -> None:
        """The watchdog runs."""
        apart = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
        env = {
            **os.environ,
            "PYTHONPATH": str(REPOSITORY),
            "DATA_DIR": str(self.data),
            "WATCHDOG_DIR": str(self.own.own),
            "CHECK_INTERVAL": "0.2",
            "CONTAINER_NAME": WEB,
            "IMAGE_NAME": self.ledger.repository,
            "COMPOSE_PROJECT_NAME": PROJECT,
            "COMPOSE_PROJECT_DIR": str(self.project),
            **variables,
        }
        command = [sys.executable, "-m", "updates.watchdog"]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*apart, "sh", "-c", APART, "sh", self.engine.url.removeprefix("unix://"), *command],
                env=env, cwd=REPOSITORY, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip

    def kill(self) -> None:
        """The watchdog and all that it has started are gone, without a word."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def ask(self, version: str) -> None:
        """Somebody writes the trigger by hand."""
        self.folder.trigger.write_text(json.dumps({"version": version}))

    def record(self) -> Record | None:
        """The newest upgrade."""
        return next(iter(reversed([*records(self.folder)])), None)

    def until(self, *states: str, seconds: float = 400) -> Record:
        """The newest upgrade, as soon as it is in one of these states."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            record = self.record()
            self._drain(record)
            if record is not None and record.state in states:
                return record
            time.sleep(0.002)  # some states are over in a moment
        raise AssertionError(f"{states} did not come:\n{self.log.read_text()[-4000:]}")

    def _drain(self, record: Record | None) -> None:
        """The portal's part: it has nothing in its hands."""
        if record is not None and record.state == State.INSTALLING:
            write_whole(self.folder.drained, json.dumps({"upgrade": record.upgrade}).encode())

    def ended(self) -> Record:
        return self.until("finished")

    def images(self) -> dict[str, str]:
        """By container, the version that its image says it is."""
        names = self.engine.docker("ps", "--format", "{{.Names}}").split()
        template = '{{index .Config.Labels "org.opencontainers.image.version"}}'
        return {one: self.engine.docker("inspect", "--format", template, one) for one in names}

    def book(self) -> str:
        """What the service wrote down, and by which schema."""
        return (self.data / "book").read_text() + (self.data / "schema").read_text()

    def require_old(self) -> None:
        """All is as it was before anybody asked for anything."""
        assert self.images() == dict.fromkeys(SET, "1.0.0")
        assert self.book() == "a line\n1\n"

    def require_new(self) -> None:
        """All runs as 2.0.0, which has done its part with the data."""
        assert self.images() == dict.fromkeys(SET, "2.0.0")
        assert self.book() == "a line\nmigrated from 1 by 2.0.0\n2\n"
