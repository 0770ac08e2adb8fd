"""The health gate: whether what was just started works, asked until it has said so often enough in a row.

A probe asks once. It passes, or says in a few words what it saw; it raises nothing for what the device does. Slow starts are
fine: until the limit, a probe that does not pass is only asked again.
"""

from __future__ import annotations

import http.client
import io
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol
from urllib.parse import urlsplit

from devices.drivers.dial import Dial, Line
from devices.drivers.engine import Engine
from devices.drivers.engine_containers import ContainerDetails
from devices.drivers.shell import OnTick, Shell
from devices.errors import DeviceError, DeviceUnreachable, HealthFailed

ASK_SECONDS: Final = 10.0
"""Time limit of one question."""

_WORDS: Final = 200
_HEADER_BYTES: Final = 65536


class Probe(Protocol):
    """`name` says for people what is asked; `ask` returns None when it passes, else what was seen instead."""

    @property
    def name(self) -> str: ...

    def ask(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class HttpProbe:
    """Passes when a GET of `url` is answered with one of `statuses`. The URL is as seen from where `dial` ends; no TLS."""

    dial: Dial
    url: str
    statuses: Sequence[int] = (200, 204)

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        fits = parts.scheme == "http" and parts.hostname and parts.port != 0
        if not fits or not self.url.isascii() or not self.url.isprintable() or " " in self.url:
            raise ValueError(f"{self.url!r} is not an http:// address")

    @property
    def name(self) -> str:
        return f"GET {self.url}"

    def ask(self) -> str | None:
        parts = urlsplit(self.url)
        place = parts.path or "/"
        if parts.query:
            place += f"?{parts.query}"
        try:
            line = self.dial(parts.hostname or "", parts.port or 80, ASK_SECONDS)
        except DeviceUnreachable as error:
            return str(error)
        connection = _Connection(line, host=parts.netloc)
        try:
            connection.request("GET", place, headers={"Connection": "close"})
            status = connection.getresponse().status
        except TimeoutError:
            return f"no answer within {ASK_SECONDS:g} s"
        except (OSError, EOFError, http.client.HTTPException) as error:
            return f"no answer: {error or type(error).__name__}"[:_WORDS]
        finally:
            connection.close()
        return None if status in self.statuses else f"status {status}"


@dataclass(frozen=True, slots=True)
class TcpProbe:
    """Passes when somebody listens at that port, as seen from where `dial` ends."""

    dial: Dial
    host: str
    port: int

    @property
    def name(self) -> str:
        return f"connect to {self.host}, port {self.port}"

    def ask(self) -> str | None:
        try:
            self.dial(self.host, self.port, ASK_SECONDS).close()
        except DeviceUnreachable as error:
            return str(error)
        return None


@dataclass(frozen=True, slots=True)
class CommandProbe:
    """Passes when the command ends with status 0 on the device."""

    shell: Shell
    command: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: str | None = None

    @property
    def name(self) -> str:
        return f"run {' '.join(self.command)}"[:_WORDS]

    def ask(self) -> str | None:
        try:
            result = self.shell.run(
                self.command,
                limit_seconds=ASK_SECONDS,
                env=self.env,
                cwd=self.cwd,
                keep_bytes=_WORDS,
            )
        except DeviceError as error:
            return str(error)
        if result.status == 0:
            return None
        said = " ".join(result.output.decode(errors="replace").split())
        return f"status {result.status}" + (f": {said}" if said else "")


@dataclass(frozen=True, slots=True)
class ContainerHttpProbe:
    """Passes when a GET of `path` is answered well at that port of the container, at its address in any of its networks.

    The addresses are as seen from where `dial` ends: the container's own host sees all of them.
    """

    engine: Engine
    dial: Dial
    container: str
    port: int
    path: str

    @property
    def name(self) -> str:
        return f"GET {self.path} of {self.container}, port {self.port}"

    def ask(self) -> str | None:
        try:
            found = self.engine.containers.named(self.container)
        except DeviceError as error:
            return str(error)
        addresses = [one for one in found.networks.values() if one] if found else []
        if not addresses:
            return "it has no address in any network"
        seen: list[str] = []
        for address in addresses:
            said = HttpProbe(self.dial, f"http://{address}:{self.port}{self.path}").ask()
            if said is None:
                return None
            seen.append(f"{address}: {said}")
        return "; ".join(seen)


@dataclass(slots=True)
class ContainerProbe:
    """Passes when the container of that name runs, and is healthy if its image or its maker gave it a health check.

    One that was started once more since it was asked before has not been running: a loop of crashes is short of breath, not well.
    """

    engine: Engine
    container: str
    _starts: tuple[str, str, int] | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        return f"container {self.container}"

    def ask(self) -> str | None:
        try:
            found = self.engine.containers.named(self.container)
        except DeviceError as error:
            return str(error)
        if found is None:
            return "there is none of that name"
        before, self._starts = self._starts, (found.id, found.started_at, found.restart_count)
        if found.state != "running":
            return _ended(found)
        if before is not None and before != self._starts:
            return "it was started again meanwhile"
        return None if found.health in ("", "healthy") else found.health


def _ended(found: ContainerDetails) -> str:
    state = found.state or "no state"
    return f"{state}, with status {found.exit_code}" if state in ("exited", "restarting") else state


def gate(
    probes: Sequence[Probe],
    *,
    passes_in_a_row: int,
    limit_seconds: float,
    pause_seconds: float,
    tick: OnTick,
) -> None:
    """All probes have passed, `passes_in_a_row` times without one that did not in between.

    `HealthFailed` after `limit_seconds`, with what each probe said last. `tick` is heard at least once a second but during a
    question, which takes `ASK_SECONDS` at most; what it raises comes out unchanged.
    """
    until = time.monotonic() + limit_seconds
    passed = 0
    while True:
        last: list[tuple[str, str | None]] = []
        for probe in probes:
            tick()
            last.append((probe.name, probe.ask()))
        passed = 0 if any(seen for _, seen in last) else passed + 1
        if passed >= passes_in_a_row:
            return
        if time.monotonic() + pause_seconds > until:
            said = [(name, seen or "passed") for name, seen in last]
            raise HealthFailed(_verdict(last, passed, passes_in_a_row), said=said)
        _wait(pause_seconds, tick)


def _verdict(last: Sequence[tuple[str, str | None]], passed: int, wanted: int) -> str:
    trouble = [f"{name}: {seen}" for name, seen in last if seen]
    if not trouble:
        return f"It is not healthy for long enough: {passed} of {wanted} rounds passed in time."
    return f"It is not healthy in time: {'; '.join(trouble).rstrip('.')}."


def _wait(seconds: float, tick: OnTick) -> None:
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        tick()
        time.sleep(min(left, 0.5))


class _Connection(http.client.HTTPConnection):
    """HTTP over a Line, which need not be a socket."""

    def __init__(self, line: Line, *, host: str) -> None:
        super().__init__(host)
        self._line = line

    def connect(self) -> None:
        self.sock = _Ends(self._line)


class _Ends:
    """As much of a socket as http.client uses for one question. All of it takes `ASK_SECONDS` at most."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._until = time.monotonic() + ASK_SECONDS

    def sendall(self, data: bytes) -> None:
        self._line.settimeout(self._left())
        self._line.sendall(data)

    def makefile(self, mode: str) -> io.BytesIO:
        """What the answer begins with: its header is all that is asked for."""
        header = bytearray()
        while b"\r\n\r\n" not in header and len(header) < _HEADER_BYTES:
            self._line.settimeout(self._left())
            piece = self._line.recv(4096)
            if not piece:
                break
            header += piece
        return io.BytesIO(bytes(header))

    def _left(self) -> float:
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    def close(self) -> None:
        self._line.close()
