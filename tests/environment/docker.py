"""A private Docker Engine: its own images, its own network, nothing shared with the machine's Engine."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.environment.child import Child
from tests.environment.network import PrivateNetwork, private_network
from tests.environment.programs import need_root, program

START_SECONDS = 60
COMMAND_SECONDS = 300


class DockerEngine:
    """A dockerd in `folder`.

    Containers' published ports answer on `address`; containers reach the machine itself at `machine_address`.
    """

    def __init__(
        self, folder: Path, *, network: PrivateNetwork, options: Sequence[str] = ()
    ) -> None:
        self._folder = folder
        self._options = options
        self._child: Child | None = None
        self._socket_mode = 0o660
        self.network = network
        # In a folder of its own: who is given that has nothing else of the Engine's.
        self.socket = folder / "api" / "docker.sock"

    @property
    def url(self) -> str:
        """What DOCKER_HOST or the docker SDK take."""
        return f"unix://{self.socket}"

    @property
    def address(self) -> str:
        return self.network.inside

    @property
    def machine_address(self) -> str:
        return self.network.outside

    def start(self) -> None:
        """The Engine answers; containers of before that had `--restart always` run again."""
        self.socket.parent.mkdir(parents=True, exist_ok=True)
        self.socket.unlink(missing_ok=True)
        roots = [
            "--data-root",
            str(self._folder / "data"),
            "--exec-root",
            str(self._folder / "exec"),
        ]
        dockerd = [
            *("dockerd", *roots, "--host", self.url),
            *("--pidfile", str(self._folder / "pid"), *self._options),
        ]
        self._child = Child(self.network.command(*dockerd), log=self._folder / "log")
        self._child.wait_until_it_listens(self.socket, seconds=START_SECONDS)
        self.socket.chmod(self._socket_mode)
        self.docker("version")

    def open_to_all(self) -> None:
        """Every user may use it, also when it starts again."""
        self._socket_mode = 0o666
        self.socket.chmod(self._socket_mode)

    def stop(self) -> None:
        """The Engine and its containers have ended; images, volumes and containers' files stay."""
        if self._child is not None:
            self._child.stop()
            self._child = None

    def kill(self) -> None:
        """The Engine has died, as in a crash; what it had begun lies about."""
        if self._child is not None:
            self._child.kill()
            self._child = None
            # Its containerd would outlive it. As after a crash of the whole machine, the next one has to start its own.
            pid_file = self._folder / "exec" / "containerd" / "containerd.pid"
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                os.kill(int(pid_file.read_text()), signal.SIGKILL)
            pid_file.unlink(missing_ok=True)

    def remove(self) -> None:
        """Nothing is left of the Engine."""
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)
        self.network.remove()

    def docker(self, *arguments: str, stdin: bytes = b"") -> str:
        """What `docker ARGUMENTS` wrote; RuntimeError with its complaint if it failed."""
        finished = self.attempt(*arguments, stdin=stdin)
        if finished.returncode:
            complaint = finished.stderr.decode(errors="replace").strip()
            raise RuntimeError(f"docker {' '.join(arguments)}: {complaint}")
        return finished.stdout.decode(errors="replace").strip()

    def attempt(self, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        """How `docker ARGUMENTS` ended, well or not."""
        return subprocess.run(
            ["docker", "--host", self.url, *arguments],
            input=stdin,
            capture_output=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )


def private_engine(
    folder: Path, *, network: PrivateNetwork | None = None, options: Sequence[str] = ()
) -> DockerEngine:
    """A new Engine that runs, with `options` of dockerd. Skips the test where there can be none."""
    need_root("a private Docker Engine")
    program("dockerd", package="docker.io")
    program("docker", package="docker.io")
    program("iptables", package="iptables")
    engine = DockerEngine(folder, network=network or private_network(), options=options)
    try:
        engine.start()
    except BaseException:
        engine.remove()
        raise
    return engine
