"""What container upgrades need around them: a device with an engine of its own, reached over SSH, and a maker's registry."""

from __future__ import annotations

import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from tests.containers.ledger import Ledger
from tests.containers.standing import Standing
from tests.drivers.engine.conftest import tls_options
from tests.drivers.engine.engine_under_test import TLS_PORT
from tests.drivers.sshd import start_sshd
from tests.environment.certificates import certified
from tests.environment.docker import DockerEngine, private_engine
from tests.environment.network import private_network
from tests.environment.programs import need_root, program
from tests.environment.registry import Registry
from tests.environment.workdir import PREFIX, owner_is_dead

ROOM = "300m"
"""All that the device's own file system holds: what is kept there, and its backups."""

_OF_TESTS = re.compile(rf".*/({PREFIX}\d+-[^/]+)/containers/device$")
_ASK = "import sys, urllib.request as asked; print(asked.urlopen(sys.argv[1], timeout=3).read().decode())"


class Stage:
    """The device's sshd lives in the engine's network, as on one machine: what containers' addresses are there, it reaches.

    Its own files are below `root`, a small file system. The engine's are not in that, so that each can be full alone.
    """

    def __init__(self, folder: Path) -> None:
        need_root("a file system of its own")
        program("docker-compose", package="docker-compose")
        unmount_what_the_dead_left()
        folder.mkdir(parents=True)
        network = private_network()
        self.server, self.client = certified(network.inside), certified("portal")
        self.tls_port = TLS_PORT
        options = tls_options(
            folder / "tls", network=network, server=self.server, client=self.client
        )
        self.engine: DockerEngine = private_engine(
            folder / "engine", network=network, options=options
        )
        self.root = folder / "device"
        self.root.mkdir()
        self._mount("mount", "-t", "tmpfs", "-o", f"size={ROOM},mode=755", "tmpfs", str(self.root))
        self.sshd = start_sshd(
            folder / "sshd", network=network, env={"DOCKER_HOST": self.engine.url}
        )
        self.registry = Registry(folder / "registry")
        self.registry.start()
        self.registry.show_to(self.engine)
        self.ledger = Ledger(self.engine, self.registry)
        self.stood: dict[str, tuple[str, Standing]] = {}
        """By the name of the container: how it was deployed, and what stood then."""

    def remove(self) -> None:
        """Nothing is left of it."""
        self.sshd.stop()
        self.registry.remove()
        self.engine.remove()
        self._mount("umount", "--lazy", str(self.root))

    def restart_engine(self) -> None:
        """The engine has been stopped and started, its containers with it."""
        self.engine.stop()
        self.engine.start()

    def fill_disk(self) -> None:
        """There is not a byte of room where the device keeps its own files."""
        with (self.root / "fill").open("wb", buffering=0) as file, suppress(OSError):
            while file.write(bytes(2**20)):
                pass

    def empty_disk(self) -> None:
        """There is room again."""
        (self.root / "fill").unlink(missing_ok=True)

    def ask(self, url: str) -> str:
        """What is answered there, as the device itself sees it; nothing where nobody answers."""
        command = self.engine.network.command(sys.executable, "-c", _ASK, url)
        finished = subprocess.run(command, capture_output=True, timeout=30, check=False)
        return finished.stdout.decode().strip() if finished.returncode == 0 else ""

    def _mount(self, *command: str) -> None:
        subprocess.run(command, check=True, capture_output=True)


def unmount_what_the_dead_left() -> None:
    """No file system is mounted any more in the folder of a test process that was killed."""
    for line in Path("/proc/mounts").read_text().splitlines():
        place = line.split()[1]
        found = _OF_TESTS.match(place)
        if found and owner_is_dead(found[1]):
            subprocess.run(["umount", "--lazy", place], check=False, capture_output=True)
