"""Reaching the Docker Engines of devices, and being somebody to registries."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from devices.drivers.docker_engine import DockerEngine
from devices.drivers.engine import Engine
from devices.drivers.engine import RegistryLogin as Login
from devices.drivers.engine_ways import SshWay, TcpWay, TlsIdentity, UnixWay, Way
from devices.drivers.references import parse_reference
from devices.errors import EngineUnreachable
from devices.models import Device, EngineAccess, RegistryLogin
from devices.services.reach import ssh_link

SOCKET = "/var/run/docker.sock"


@contextmanager
def opened_engine(device: Device) -> Iterator[Engine]:
    """The device's Docker Engine, closed afterwards. EngineUnreachable when nobody has said how it is reached."""
    access = EngineAccess.objects.filter(device=device).first()
    if access is None:
        raise EngineUnreachable(
            f"How the Docker Engine of {device} is reached is not known: say it on its page, under Engine."
        )
    with DockerEngine(_way(access, device)) as engine:
        yield engine


def registry_login(reference: str) -> Login | None:
    """Who we are to the registry of that image; None where we are nobody."""
    row = RegistryLogin.objects.filter(registry=parse_reference(reference).host).first()
    return Login(row.username, row.secret) if row else None


def _way(access: EngineAccess, device: Device) -> Way:
    match access.way:
        case EngineAccess.Way.UNIX:
            return UnixWay(access.socket_path or SOCKET)
        case EngineAccess.Way.SSH:
            return SshWay(ssh_link(device), socket_path=access.socket_path)
        case _:
            identity = TlsIdentity(access.authority, access.certificate, access.key)
            return TcpWay(access.host, access.port, identity=identity if access.authority else None)
