"""Commands in containers (Docker's `exec`): their output as it comes, and how they ended."""

from __future__ import annotations

import contextlib
import http.client
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from devices.drivers.engine_answers import mapping
from devices.drivers.engine_client import EngineClient
from devices.drivers.engine_streams import STDERR, frames, given_out
from devices.drivers.engine_wire import Patience
from devices.drivers.shell import OnOutput, OnTick
from devices.errors import CommandFailed, CommandTimedOut, EngineRefused, EngineUnreachable

_TAIL_BYTES: Final = 2048
_END_SECONDS: Final = 5.0
_ASK_SECONDS: Final = 0.2


@dataclass(frozen=True, slots=True)
class Command:
    """What is to be run: `words` in the container of that id, which people know as `container`."""

    container_id: str
    container: str
    words: Sequence[str]
    user: str
    env: Mapping[str, str]
    limit_seconds: float


class Commands:
    """Runs commands in the containers of one engine."""

    def __init__(self, client: EngineClient) -> None:
        self._client = client

    def execute(self, command: Command, *, on_output: OnOutput, on_tick: OnTick) -> int:
        """See `Containers.execute`."""
        with self._begun(command, on_tick) as (exec_id, output):
            for _, piece in output:
                on_output(piece)
            return self._status(exec_id)

    def read(self, command: Command, *, on_tick: OnTick) -> Iterator[bytes]:
        """See `Containers.read_command`."""
        with contextlib.ExitStack() as stack:
            exec_id, output = stack.enter_context(self._begun(command, on_tick))
            return given_out(self._stdout(command, exec_id, output), stack.pop_all())

    def _stdout(
        self, command: Command, exec_id: str, output: Iterator[tuple[int, bytes]]
    ) -> Iterator[bytes]:
        complaint = b""
        for stream, piece in output:
            if stream == STDERR:
                complaint = (complaint + piece)[-_TAIL_BYTES:]
            else:
                yield piece
        status = self._status(exec_id)
        if status:
            said = complaint.decode(errors="replace").strip()
            last = f": {said.splitlines()[-1].rstrip('.')}" if said else ""
            raise CommandFailed(
                f"{command.words[0]} ended with status {status} in the container {command.container}{last}.",
                status=status,
                output=said,
            )

    @contextlib.contextmanager
    def _begun(
        self, command: Command, on_tick: OnTick
    ) -> Iterator[tuple[str, Iterator[tuple[int, bytes]]]]:
        """Its id, and its output."""
        with self._client.asked() as api:
            made = api.exec_create(
                command.container_id,
                list(command.words),
                user=command.user,
                environment=dict(command.env),
            )
        exec_id = str(mapping(made).get("Id", ""))
        limit = command.limit_seconds
        patience = Patience(limit_seconds=limit, silence_seconds=limit, on_tick=on_tick)
        with (
            _timed(command, patience),
            self._client.streaming(
                "POST",
                f"/exec/{exec_id}/start",
                patience=patience,
                body={"Detach": False, "Tty": False},
            ) as pieces,
        ):
            yield exec_id, frames(pieces)

    def _status(self, exec_id: str) -> int:
        """Its exit status. `EngineUnreachable`: its output ended though it did not, or nobody knows how it ended."""
        until = time.monotonic() + _END_SECONDS
        while True:
            try:
                with self._client.asked() as api:
                    said = mapping(api.exec_inspect(exec_id))
            except EngineRefused as refused:
                if refused.status == http.client.NOT_FOUND:
                    raise _lost() from None
                raise
            status = said.get("ExitCode")
            if said.get("Running") is False and isinstance(status, int):
                return status
            if time.monotonic() > until:
                raise _lost()
            time.sleep(_ASK_SECONDS)


@contextlib.contextmanager
def _timed(command: Command, patience: Patience) -> Iterator[None]:
    try:
        yield
    except EngineUnreachable:
        if not patience.is_over:
            raise
        raise CommandTimedOut(
            f"{command.words[0]} has not ended within {command.limit_seconds:g} s in the container {command.container}, "
            "and may still run there."
        ) from None


def _lost() -> EngineUnreachable:
    return EngineUnreachable("The connection to the Docker Engine broke while a command ran.")
