"""The port that the web server is to have."""

from __future__ import annotations

import errno
import socket
from typing import Final

from portal.supervisor.errors import CannotStart

CONNECT_SECONDS: Final = 0.5
EVERYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - where a server listens, not what we do


def refuse_taken(host: str, port: int) -> None:
    """Nothing, or CannotStart with the reason why nobody can listen on `host` and `port` now."""
    try:
        [(family, kind, protocol, _, address), *_] = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except socket.gaierror:
        raise CannotStart(f"There is no host {host!r} to listen on.") from None
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
            probe.listen()
        except OSError as error:
            raise CannotStart(_why(error, host, port)) from None


def listens(host: str, port: int) -> bool:
    """Whether somebody accepts connections there."""
    try:
        socket.create_connection((EVERYWHERE.get(host, host), port), CONNECT_SECONDS).close()
    except OSError:
        return False
    return True


def url(host: str, port: int, *, tls: bool = False) -> str:
    """Where a browser on this machine finds the server."""
    place = EVERYWHERE.get(host, host)
    return f"{'https' if tls else 'http'}://{f'[{place}]' if ':' in place else place}:{port}/"


def _why(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} on {host} is taken: end what listens there, or choose another with --port."
    if error.errno == errno.EACCES:
        return f"Only root may listen on port {port}: choose one above 1023 with --port."
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{host} is not an address of this machine: choose another with --host."
    return f"Nobody can listen on port {port} of {host}: {error.strerror}."
