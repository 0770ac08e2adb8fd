"""HTTP to an engine over any Line: one connection for each request, whose waits tick and end.

The SDK's own transports wait without a limit in their streams, and take host keys and logins from the machine's files. This one
takes a function that opens a Line.
"""

from __future__ import annotations

import contextlib
import io
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import requests.adapters
import urllib3
import urllib3.connection

from devices.drivers.dial import Line
from devices.drivers.shell import OnTick

if TYPE_CHECKING:
    from requests import PreparedRequest

Opening = Callable[[float], Line]
"""`opening(seconds)`: a Line to the engine's API; `EngineUnreachable` when there is none after so many seconds."""

_STEP_SECONDS = 0.5


class Patience:
    """How long one exchange may take: `limit_seconds` in all, `silence_seconds` without a byte, `limit_bytes` to read.

    `raised` is what `on_tick` raised, if it did: on its way out it passes through libraries that dress it up.
    """

    def __init__(
        self,
        *,
        limit_seconds: float,
        silence_seconds: float,
        limit_bytes: int | None = None,
        on_tick: OnTick | None = None,
    ) -> None:
        self.silence_seconds = silence_seconds
        self.raised: BaseException | None = None
        self.is_over = False
        self._until = time.monotonic() + limit_seconds
        self._heard_at = time.monotonic()
        self._ticked_at = 0.0
        self._bytes_left = limit_bytes
        self._on_tick = on_tick

    def tick(self) -> None:
        """Still patient: nothing happens but `on_tick`, now and then. TimeoutError otherwise."""
        now = time.monotonic()
        self.is_over = now > self._until
        if self.is_over or now - self._heard_at > self.silence_seconds:
            raise TimeoutError("no answer in time")
        if self._on_tick is None or now - self._ticked_at < _STEP_SECONDS:
            return
        self._ticked_at = now
        try:
            self._on_tick()
        except BaseException as error:
            self.raised = error
            raise

    def heard(self, count: int) -> None:
        """So many bytes came. OSError when they are more than an answer may have."""
        self._heard_at = time.monotonic()
        if self._bytes_left is None:
            return
        self._bytes_left -= count
        if self._bytes_left < 0:
            raise OSError("an answer without end")


class _Reading(io.RawIOBase):
    """The reading end of a Wire, as `socket.makefile` gives it."""

    def __init__(self, line: Line, patience: Patience) -> None:
        self._line = line
        self._patience = patience

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - io's own signature
        while True:
            self._patience.tick()
            self._line.settimeout(_STEP_SECONDS)
            try:
                piece = self._line.recv(len(buffer))
            except TimeoutError:
                continue
            self._patience.heard(len(piece))
            buffer[: len(piece)] = piece
            return len(piece)

    def close(self) -> None:
        if not self.closed:
            with contextlib.suppress(OSError, EOFError):
                self._line.close()
        super().close()


class Wire:
    """What http.client takes for a connected socket.

    It closes it as soon as the header of an answer says that nothing more will be sent there; the line is closed with what reads
    the answer.
    """

    def __init__(self, line: Line, patience: Patience) -> None:
        self._line = line
        self._patience = patience
        self._is_read = False

    def settimeout(self, seconds: float | None) -> None:
        """Nothing: `Patience` has the limits."""

    def makefile(self, mode: str) -> io.BufferedReader:
        self._is_read = True
        return io.BufferedReader(_Reading(self._line, self._patience), 65536)

    def sendall(self, data: bytes) -> None:
        self._patience.tick()
        self._line.settimeout(self._patience.silence_seconds)
        self._line.sendall(data)
        self._patience.heard(0)

    def close(self) -> None:
        if not self._is_read:
            with contextlib.suppress(OSError, EOFError):
                self._line.close()


class _Connection(urllib3.connection.HTTPConnection):
    wire: Callable[[], Wire]

    def connect(self) -> None:
        self.sock = self.wire()  # as much of a socket as http.client uses


class _Pool(urllib3.HTTPConnectionPool):
    def __init__(self, wire: Callable[[], Wire]) -> None:
        super().__init__("localhost", maxsize=1)
        self._wire = wire

    def _new_conn(self) -> _Connection:
        connection = _Connection("localhost")
        connection.wire = self._wire
        return connection


class EngineAdapter(requests.adapters.HTTPAdapter):
    """Takes a session's requests to the engine. `patience` holds for the requests that begin after it was set."""

    def __init__(self, opening: Opening, *, connect_seconds: float, patience: Patience) -> None:
        super().__init__()
        self._opening = opening
        self._connect_seconds = connect_seconds
        self.patience = patience

    def get_connection_with_tls_context(  # the hook that requests leaves to adapters
        self,
        request: PreparedRequest,
        verify: object,
        proxies: object = None,
        cert: object = None,
    ) -> urllib3.HTTPConnectionPool:
        return _Pool(self._wire)

    def _wire(self) -> Wire:
        return Wire(self._opening(self._connect_seconds), self.patience)
