"""A device over SSH: OpenSSH or Dropbear, with a POSIX shell behind the login and nothing else assumed."""

from __future__ import annotations

import contextlib
import shlex
import socket
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

import paramiko

from devices.drivers.link import Moved
from devices.drivers.linked_shell import Booting, LinkedShell
from devices.drivers.ssh_login import Login, demand_pinned, prefer_pinned_kind
from devices.drivers.ssh_pulse import Pulse
from devices.errors import DeviceUnreachable, LoginRefused

_PIECE_BYTES = 65536
_ERROR_BYTES = 2048
# While input waits for room, output waits for it too; short enough for live output, long enough not to spin.
_WRITE_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class SshAddress:
    """Where a device listens, and as whom we come."""

    host: str
    port: int = 22
    user: str = "root"

    def __str__(self) -> str:
        return f"{self.user}@{self.host}:{self.port}"


class SshShell(LinkedShell):
    """A Shell over one SSH connection.

    `host_key` is the confirmed key in OpenSSH's one-line form. None is `HostKeyUnknown`, another one `HostKeyChanged`;
    both before any credential is sent. A device that says nothing for `silence_seconds`, though asked, is unreachable.
    """

    def __init__(
        self,
        address: SshAddress,
        *,
        login: Login,
        host_key: str | None,
        connect_seconds: float = 10.0,
        silence_seconds: float = 30.0,
        kill_after_seconds: float = 10.0,
        booting: Booting | None = None,
    ) -> None:
        link = SshLink(
            address,
            login=login,
            host_key=host_key,
            connect_seconds=connect_seconds,
            silence_seconds=silence_seconds,
        )
        super().__init__(link, kill_after_seconds=kill_after_seconds, booting=booting or Booting())


class SshLink:
    """One SSH connection, made when it is first used and again when it is found closed. Threads may share it."""

    def __init__(
        self,
        address: SshAddress,
        *,
        login: Login,
        host_key: str | None,
        connect_seconds: float,
        silence_seconds: float,
    ) -> None:
        self._address = address
        self._login = login
        self._host_key = host_key
        self._connect_seconds = connect_seconds
        self._silence_seconds = silence_seconds
        self._lock = threading.Lock()
        self._made: Future[Pulse] | None = None

    def open(self, words: Sequence[str]) -> SshStream:
        pulse = self._connected()
        return SshStream(self._started(words, pulse=pulse), pulse=pulse)

    def channel(self, words: Sequence[str]) -> paramiko.Channel:
        """The program's input and output, for who speaks a protocol with it. `DeviceUnreachable` if it cannot start."""
        return self._started(words, pulse=self._connected())

    def _started(self, words: Sequence[str], *, pulse: Pulse) -> paramiko.Channel:
        with self._broken_is_unreachable("broke when a command was to start", pulse):
            channel = pulse.transport.open_session(timeout=self._connect_seconds)
            channel.exec_command(shlex.join(["exec", *words]))
        return channel

    def forward(self, host: str, *, port: int, seconds: float) -> paramiko.Channel:
        """A connection to a port as seen from the device (RFC 4254, direct-tcpip). `DeviceUnreachable` if there is none."""
        pulse = self._connected()
        with self._broken_is_unreachable(f"broke on the way to {host}, port {port}", pulse):
            try:
                return pulse.transport.open_channel(
                    "direct-tcpip", (host, port), ("127.0.0.1", 0), timeout=seconds
                )
            except paramiko.SSHException as error:
                if not pulse.transport.is_active():
                    raise
                # The connection itself is well, as far as anybody knows: what else goes through it goes on.
                why = (
                    error.text
                    if isinstance(error, paramiko.ChannelException)
                    else "no answer in time"
                )
                raise DeviceUnreachable(
                    f"{self._address} does not connect to {host}, port {port}: {why}."
                ) from None

    def _connected(self) -> Pulse:
        """Who comes while the connection is being made gets the same one, or the same error."""
        with self._lock:
            made, is_ours = self._made, False
            if made is None or (made.done() and not _stands(made)):
                _end(made)
                made, is_ours = Future(), True
                self._made = made
        if is_ours:
            try:
                made.set_result(self._connect())
            except BaseException as error:
                made.set_exception(error)
                raise
        return made.result()

    def _connect(self) -> Pulse:
        with self._broken_is_unreachable("could not be made"):
            place = (self._address.host, self._address.port)
            sock = socket.create_connection(place, timeout=self._connect_seconds)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            # The kernel gives up on bytes that nobody acknowledges, also while we are stuck sending them.
            sock.setsockopt(
                socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(self._silence_seconds * 1000)
            )
            transport = self._greeted(sock)
            try:
                demand_pinned(transport, self._host_key)
                self._log_in(transport)
            except BaseException:
                transport.close()
                raise
        return Pulse(transport, silence_seconds=self._silence_seconds)

    def _greeted(self, sock: socket.socket) -> paramiko.Transport:
        try:
            transport = paramiko.Transport(sock)
        except BaseException:
            sock.close()
            raise
        transport.banner_timeout = self._connect_seconds
        transport.handshake_timeout = self._connect_seconds
        transport.auth_timeout = self._connect_seconds
        try:
            prefer_pinned_kind(transport, self._host_key)
            transport.start_client(timeout=self._connect_seconds)
        except BaseException:
            transport.close()
            sock.close()
            raise
        return transport

    def _log_in(self, transport: paramiko.Transport) -> None:
        try:
            self._login.present(transport, user=self._address.user)
        except paramiko.AuthenticationException as error:
            if not transport.is_active() or "timeout" in str(error).lower():
                raise DeviceUnreachable(
                    f"The connection to {self._address} broke during the login."
                ) from None
        if not transport.is_authenticated():
            raise LoginRefused(f"{self._address} does not accept our credential.")

    @contextlib.contextmanager
    def _broken_is_unreachable(self, what: str, pulse: Pulse | None = None) -> Iterator[None]:
        try:
            yield
        except (paramiko.SSHException, OSError, EOFError) as error:
            if pulse is not None:
                pulse.stop()
            raise DeviceUnreachable(
                f"The connection to {self._address} {what}: {error or 'no answer'}."
            ) from None

    def close(self) -> None:
        with self._lock:
            made, self._made = self._made, None
        _end(made)


def _stands(made: Future[Pulse]) -> bool:
    return made.exception() is None and made.result().transport.is_active()


def _end(made: Future[Pulse] | None) -> None:
    """The connection is closed, also one that was just being made."""
    if made is not None and made.exception() is None:
        made.result().stop()


class SshStream:
    """One channel with one program."""

    def __init__(self, channel: paramiko.Channel, *, pulse: Pulse) -> None:
        self._channel = channel
        self._pulse = pulse
        self._errors = b""

    def move(self, pending: memoryview, *, wait_seconds: float) -> Moved:
        self.errors()  # unread, they would fill the window that output and errors share
        if not pending:
            return Moved(taken=0, output=self._receive(wait_seconds))
        if self._channel.recv_ready():
            return Moved(taken=0, output=self._receive(0))
        return Moved(taken=self._send(pending), output=None)

    def _receive(self, wait_seconds: float) -> bytes | None:
        self._channel.settimeout(wait_seconds)
        try:
            piece = self._channel.recv(_PIECE_BYTES)
        except TimeoutError:
            return None
        if piece:
            self._pulse.heard()
        return piece

    def _send(self, pending: memoryview) -> int:
        self._channel.settimeout(_WRITE_SECONDS)
        try:
            taken = self._channel.send(bytes(pending[:_PIECE_BYTES]))
        except TimeoutError:
            return 0
        except (OSError, EOFError, paramiko.SSHException):
            return len(
                pending
            )  # nobody reads any more: `status` says whether it ended or the connection broke
        return taken or len(pending)

    def end_input(self) -> None:
        with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
            self._channel.shutdown_write()

    def status(self) -> int | None:
        if not self._channel.exit_status_ready():
            return None
        if self._channel.exit_status < 0:
            raise DeviceUnreachable(
                "The connection broke while a command was running."
                if not self._pulse.silent
                else "The device has fallen silent while a command was running."
            )
        return self._channel.exit_status

    def errors(self) -> bytes:
        while self._channel.recv_stderr_ready():
            self._errors = (self._errors + self._channel.recv_stderr(_PIECE_BYTES))[-_ERROR_BYTES:]
        return self._errors

    def close(self) -> None:
        with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
            self._channel.close()
