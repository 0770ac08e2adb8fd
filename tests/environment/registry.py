"""A real registry of images, which the machine and a private Engine both find under one name."""

from __future__ import annotations

import shutil
import signal
import socket
from dataclasses import dataclass
from pathlib import Path

import bcrypt

from tests.environment.certificates import Certified
from tests.environment.child import Child
from tests.environment.docker import DockerEngine
from tests.environment.doors import Door
from tests.environment.ports import free_port
from tests.environment.programs import program
from tests.environment.waiting import wait_until

START_SECONDS = 20

_CONFIG = """\
version: 0.1
log: {{level: warn}}
storage:
  filesystem: {{rootdirectory: {data}}}
  delete: {{enabled: true}}
http:
  addr: {host}
"""
_TLS = """\
  tls: {{certificate: {folder}/certificate.pem, key: {folder}/key.pem}}
"""
_HTPASSWD = """\
auth:
  htpasswd: {{realm: test, path: {folder}/htpasswd}}
"""
_TOKEN = """\
auth:
  token: {{realm: "{realm}", service: test, issuer: test, rootcertbundle: {folder}/issuer.pem}}
"""


@dataclass(frozen=True, slots=True)
class TokenAuth:
    """Who gives tokens: the address to ask, and the certificate (PEM) whose key signs them."""

    realm: str
    certificate: str


class Registry:
    """A docker-registry in `folder`. `host` is what references begin with, here and on Engines that it was shown to.

    `data` is the data of another one, which it then also has; `address` is where it listens.
    """

    def __init__(
        self,
        folder: Path,
        *,
        users: dict[str, str] | None = None,
        tokens: TokenAuth | None = None,
        tls: Certified | None = None,
        address: str = "127.0.0.1",
        data: Path | None = None,
    ) -> None:
        program("docker-registry", package="docker-registry")
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._child: Child | None = None
        self._doors: list[Door] = []
        self.data = data or folder / "data"
        self.port = free_port()
        self.host = f"{address}:{self.port}"
        config = _CONFIG
        if tls is not None:
            (folder / "certificate.pem").write_text(tls.certificate)
            (folder / "key.pem").write_text(tls.key)
            config += _TLS
        if users is not None:
            lines = [f"{name}:{_hashed(password)}\n" for name, password in users.items()]
            (folder / "htpasswd").write_text("".join(lines))
            config += _HTPASSWD
        if tokens is not None:
            (folder / "issuer.pem").write_text(tokens.certificate)
            config += _TOKEN
        realm = tokens.realm if tokens else ""
        (folder / "config.yml").write_text(
            config.format(folder=folder, data=self.data, host=self.host, realm=realm)
        )

    def start(self) -> None:
        """It answers; what was pushed before is there."""
        config = str(self._folder / "config.yml")
        child = Child(["docker-registry", "serve", config], log=self._folder / "log")
        self._child = child
        wait_until(
            lambda: self._listens() or not child.running,
            seconds=START_SECONDS,
            what="the registry",
        )
        if not child.running:
            raise RuntimeError(f"The registry ended at once:\n{child.tail()}")

    def show_to(self, engine: DockerEngine) -> None:
        """That Engine finds it under the same name. Being on loopback, it is spoken to without TLS, or with any certificate."""
        self._doors.append(Door(engine.network, port=self.port))

    def stop(self) -> None:
        """Nobody listens there any more; what was pushed stays."""
        if self._child is not None:
            self._child.signal(signal.SIGCONT)
            self._child.stop()
            self._child = None

    def hang(self) -> None:
        """Connections are taken, and nothing is ever answered."""
        self._running().signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """What hung is answered now."""
        self._running().signal(signal.SIGCONT)

    def remove(self) -> None:
        """Nothing is left of it."""
        for door in self._doors:
            door.close()
        self.stop()
        # Not the data of another one.
        shutil.rmtree(self._folder, ignore_errors=True)

    def _listens(self) -> bool:
        try:
            socket.create_connection((self.host.partition(":")[0], self.port), timeout=1).close()
        except OSError:
            return False
        return True

    def _running(self) -> Child:
        if self._child is None:
            raise RuntimeError("The registry does not run.")
        return self._child


def _hashed(password: str) -> str:
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(rounds=4)).decode()
