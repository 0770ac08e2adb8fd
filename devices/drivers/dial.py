"""How bytes get to a port of a device: straight over the network, or through somebody who is already there.

Whoever speaks a protocol with a process on a device takes a Dial, and does not know which way its bytes go.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from typing import Protocol

from devices.errors import DeviceUnreachable


class Line(Protocol):
    """A connection: the part of a socket that sockets and SSH channels share.

    `recv` gives b"" when the other end closed; it and `sendall` raise TimeoutError after the time of `settimeout`, and
    OSError when the connection broke.
    """

    def settimeout(self, seconds: float, /) -> None: ...

    def sendall(self, data: bytes, /) -> None: ...

    def recv(self, size: int, /) -> bytes: ...

    def close(self) -> None: ...


Dial = Callable[[str, int, float], Line]
"""`dial(host, port, seconds)`: a Line to that port, as seen from wherever the Dial ends.

`DeviceUnreachable`, with a sentence that says why, when there is none after so many seconds.
"""


def dial_straight(host: str, port: int, seconds: float) -> Line:
    """A TCP connection from this machine. See `Dial`."""
    try:
        line = socket.create_connection((host, port), timeout=seconds)
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except socket.gaierror:
        raise DeviceUnreachable(f"The host name {host} is not known.") from None
    except TimeoutError:
        raise DeviceUnreachable(f"Nobody answers at {host}, port {port}.") from None
    except ConnectionRefusedError:
        raise DeviceUnreachable(f"Nobody listens at {host}, port {port}.") from None
    except (OSError, UnicodeError) as error:
        raise DeviceUnreachable(f"There is no way to {host}, port {port}: {error}.") from None
    return line


def is_loopback(host: str) -> bool:
    """Whether the host (a name or an address, in brackets or not) can be nothing but this machine."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
