"""One Docker Engine under test, however it is reached."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass

import pytest

from devices.drivers.docker_engine import DockerEngine
from devices.drivers.engine import EngineLimits
from devices.drivers.engine_ways import SshWay, TcpWay, TlsIdentity, UnixWay, Way
from devices.drivers.ssh import SshAddress, SshLink
from devices.drivers.ssh_login import KeyLogin
from tests.drivers.sshd import RunningSshd
from tests.environment.docker import DockerEngine as RunningEngine

WAYS = ["unix", "tls", "ssh"]
TLS_PORT = 2376
ONE_WAY = pytest.mark.parametrize("under_test", ["unix"], indirect=True)
"""For tests of what an engine says, which is the same however it is reached."""


@dataclass(frozen=True, slots=True)
class EngineUnderTest:
    """`running` is the engine itself, and what its own command line says is what we compare with."""

    kind: str
    running: RunningEngine
    identity: TlsIdentity
    sshd: RunningSshd

    def way(self) -> Way:
        if self.kind == "unix":
            return UnixWay(str(self.running.socket))
        if self.kind == "tls":
            return TcpWay(self.running.address, TLS_PORT, identity=self.identity)
        return SshWay(ssh_link(self.sshd), socket_path=str(self.running.socket))

    def open(self, limits: EngineLimits | None = None) -> DockerEngine:
        return DockerEngine(self.way(), limits=limits)


def ssh_link(sshd: RunningSshd, *, silence_seconds: float = 30) -> SshLink:
    return SshLink(
        SshAddress(sshd.host, sshd.port, sshd.user),
        login=KeyLogin(sshd.client_key_pem),
        host_key=sshd.host_key,
        connect_seconds=10,
        silence_seconds=silence_seconds,
    )


def unpacked(chunks: Iterable[bytes]) -> dict[str, tarfile.TarInfo]:
    """The entries of a tar stream, by name."""
    with tarfile.open(fileobj=io.BytesIO(b"".join(chunks)), mode="r:") as archive:
        return {entry.name: entry for entry in archive.getmembers()}


def packed(contents: dict[str, bytes]) -> bytes:
    """A tar stream with these files."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for path, data in contents.items():
            entry = tarfile.TarInfo(path)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return stream.getvalue()


def contents_of(chunks: Iterable[bytes]) -> dict[str, bytes]:
    """The files of a volume's tar stream."""
    found = {}
    with tarfile.open(fileobj=io.BytesIO(b"".join(chunks)), mode="r:") as archive:
        for entry in archive.getmembers():
            file = archive.extractfile(entry)
            if file is not None:
                found[entry.name.removeprefix("./")] = file.read()
    return found


def ignore(_: float = 0) -> None:
    """For who asks to be told."""
