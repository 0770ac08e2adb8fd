"""The ways to an engine's API: a socket of this machine, TCP with TLS, a device's own SSH connection."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import ssl
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import paramiko

from devices.drivers.dial import Line, dial_straight, is_loopback
from devices.drivers.ssh import SshLink
from devices.drivers.words import absolute
from devices.errors import DeviceUnreachable, EngineUnreachable, LoginRefused

_COMPLAINT_BYTES = 2048
_STATUS_SECONDS = 5


class Way(Protocol):
    """`open` gives a Line to the API, or raises `EngineUnreachable`; `close` ends what lies below all of them."""

    def open(self, seconds: float) -> Line: ...

    def close(self) -> None: ...


class UnixWay:
    """The engine of this machine, at a Unix socket."""

    def __init__(self, path: str) -> None:
        self._path = absolute(path)

    def open(self, seconds: float) -> Line:
        line = socket.socket(socket.AF_UNIX)
        line.settimeout(seconds)
        try:
            line.connect(self._path)
        except OSError as error:
            line.close()
            raise EngineUnreachable(
                f"No Docker Engine answers at {self._path}: {error.strerror or error}."
            ) from None
        return line

    def close(self) -> None:
        """Nothing to close."""


@dataclass(frozen=True, slots=True)
class TlsIdentity:
    """PEM texts: whom we trust to say who the engine is, and who we are to it."""

    authority: str
    certificate: str
    key: str = field(repr=False)

    def context(self) -> ssl.SSLContext:
        """What a TLS connection is made with. `LoginRefused` if the texts are no certificates, or do not belong together."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.load_verify_locations(cadata=self.authority)
            # OpenSSL reads a key from files alone. They are nobody else's to read, and gone before anything is connected.
            with tempfile.TemporaryDirectory(prefix="fleetwright-tls-") as folder:
                certificate, key = Path(folder, "certificate"), Path(folder, "key")
                _write_private(certificate, self.certificate)
                _write_private(key, self.key)
                context.load_cert_chain(certificate, key, password=_no_passphrase)
        except (ssl.SSLError, ValueError):
            raise LoginRefused(
                "The certificates for the engine cannot be used: give PEM texts, and the key of that client certificate."
            ) from None
        return context


def _no_passphrase() -> str:
    # OpenSSL would ask for it on the terminal.
    raise ValueError("a key with a passphrase")


def _write_private(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)


class TcpWay:
    """An engine that listens at a port: with TLS, both sides certified; without, on this machine's loopback only."""

    def __init__(self, host: str, port: int, *, identity: TlsIdentity | None) -> None:
        if identity is None and not is_loopback(host):
            raise EngineUnreachable(
                f"The engine at {host} is not asked without TLS: give its certificates."
            )
        self._host = host
        self._port = port
        self._context = identity.context() if identity is not None else None

    def open(self, seconds: float) -> Line:
        try:
            line = dial_straight(self._host, self._port, seconds)
        except DeviceUnreachable as error:
            raise EngineUnreachable(str(error)) from None
        if not isinstance(line, socket.socket):
            raise TypeError("dial_straight gives sockets")
        _keep_alive(line)
        if self._context is None:
            return line
        try:
            # An end without TLS's own mark is a break: what has no length would be taken for whole.
            return self._context.wrap_socket(
                line, server_hostname=self._host, suppress_ragged_eofs=False
            )
        except (OSError, ValueError) as error:
            line.close()
            raise EngineUnreachable(
                f"No TLS connection to the engine at {self._host}, port {self._port}: {_reason(error)}."
            ) from None

    def close(self) -> None:
        """Nothing to close."""


def _keep_alive(line: socket.socket) -> None:
    """A device that lost its power is noticed also while nothing is to be said."""
    line.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (
        (socket.TCP_KEEPIDLE, 15),
        (socket.TCP_KEEPINTVL, 5),
        (socket.TCP_KEEPCNT, 4),
    ):
        line.setsockopt(socket.IPPROTO_TCP, option, value)


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not accepted ({error.verify_message})"
    return (getattr(error, "reason", None) or str(error) or "no answer").rstrip(".")


class SshWay:
    """A device's engine through its SSH connection: each Line is a channel in which Docker's client passes bytes on.

    `socket_path` is the engine's socket there; empty: the one that the client finds for that user.
    """

    def __init__(self, link: SshLink, *, socket_path: str = "") -> None:
        self._link = link
        host = ["--host", f"unix://{absolute(socket_path)}"] if socket_path else []
        self._words = ["docker", *host, "system", "dial-stdio"]

    def open(self, seconds: float) -> Line:
        return SshLine(self._link.channel(self._words))

    def close(self) -> None:
        self._link.close()


class SshLine:
    """A channel whose program explains itself: an end before the first byte is `EngineUnreachable` with what it complained of."""

    def __init__(self, channel: paramiko.Channel) -> None:
        self._channel = channel
        self._is_heard = False

    def settimeout(self, seconds: float, /) -> None:
        self._channel.settimeout(seconds)

    def sendall(self, data: bytes, /) -> None:
        try:
            self._channel.sendall(data)
        except TimeoutError:
            raise
        except OSError as error:
            self._explain()
            # What a socket says: an engine that has heard enough may still have answered.
            raise BrokenPipeError(errno.EPIPE, str(error)) from None

    def recv(self, size: int, /) -> bytes:
        piece = self._channel.recv(size)
        if not piece:
            self._require_end()
        self._is_heard = True
        return piece

    def _require_end(self) -> None:
        """The engine itself has ended the line: whoever is cut looks the same to a channel, but for the program's status."""
        if not self._is_heard:
            self._explain()
        self._channel.status_event.wait(_STATUS_SECONDS)
        if self._channel.exit_status != 0:
            raise ConnectionResetError(errno.ECONNRESET, "the way to the engine ended")

    def close(self) -> None:
        with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
            self._channel.close()

    def _explain(self) -> None:
        complaint = b""
        self._channel.settimeout(1)
        with contextlib.suppress(OSError):
            complaint = self._channel.recv_stderr(_COMPLAINT_BYTES)
        words = complaint.decode(errors="replace").strip()
        if words:
            raise EngineUnreachable(
                f"Docker's client on the device does not reach an engine: {words}"
            )
