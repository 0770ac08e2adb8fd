"""The containers of an engine that speaks Docker's API. Each is looked up by its name once, and meant by its id from then on."""

from __future__ import annotations

import http.client
import tarfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, Final

from devices.drivers.docker_commands import Command, Commands
from devices.drivers.engine_answers import container_of, details_of, mapping
from devices.drivers.engine_client import EngineClient
from devices.drivers.engine_containers import Container, ContainerDetails
from devices.drivers.engine_names import checked_name
from devices.drivers.engine_streams import frames, noted
from devices.drivers.shell import OnOutput, OnTick
from devices.drivers.words import absolute
from devices.errors import EngineRefused, NameTaken, NoSuchContainer, NoSuchImage, NoSuchPath

_LOG_BYTES: Final = 65536
_ASK_SECONDS: Final = 0.5
_BEING_REMOVED: Final = "already in progress"


class DockerContainers:
    """`Containers` of one engine."""

    def __init__(self, client: EngineClient) -> None:
        self._client = client
        self._commands = Commands(client)

    def all(self, *, running_only: bool = False) -> list[Container]:
        with self._client.asked() as api:
            return [container_of(mapping(one)) for one in api.containers(all=not running_only)]

    def named(self, name: str) -> ContainerDetails | None:
        wanted = checked_name(name, "container")
        try:
            with self._client.asked(missing=_none_of(name)) as api:
                found = details_of(mapping(api.inspect_container(wanted)))
        except NoSuchContainer:
            return None
        # Engines take ids and the beginnings of ids for names, too.
        return found if found.name == wanted else None

    def _existing(self, name: str) -> ContainerDetails:
        found = self.named(name)
        if found is None:
            raise _none_of(name)
        return found

    def create(self, name: str, body: Mapping[str, Any]) -> str:
        wanted = checked_name(name, "container")
        missing = NoSuchImage(f"The engine has no image {body.get('Image', '')}.")
        try:
            with self._client.asked(missing=missing) as api:
                answer = api.create_container_from_config(dict(body), wanted)  # type: ignore[no-untyped-call]
        except EngineRefused as refused:
            raise _taken(wanted, refused) from None
        return str(mapping(answer).get("Id", ""))

    def connect(self, name: str, network: str, settings: Mapping[str, Any]) -> None:
        wanted, container = checked_name(network, "network"), self._existing(name)
        if wanted in container.networks:
            return
        self._post(
            f"/networks/{wanted}/connect",
            {"Container": container.id, "EndpointConfig": dict(settings)},
        )

    def start(self, name: str) -> None:
        container = self._existing(name)
        with self._client.asked() as api:
            api.start(container.id)

    def stop(self, name: str, *, grace_seconds: int, on_tick: OnTick) -> None:
        container = self._existing(name)
        patience = self._client.patience(
            seconds=grace_seconds + self._client.limits.answer_seconds, on_tick=on_tick
        )
        with self._client.asked(patience) as api:
            api.stop(container.id, timeout=grace_seconds)

    def set_restart_policy(self, name: str, policy: Mapping[str, Any]) -> None:
        container = self._existing(name)
        self._post(f"/containers/{container.id}/update", {"RestartPolicy": dict(policy)})

    def rename(self, name: str, new_name: str) -> None:
        container, wanted = self._existing(name), checked_name(new_name, "container")
        if container.name == wanted:
            return
        try:
            with self._client.asked() as api:
                api.rename(container.id, wanted)
        except EngineRefused as refused:
            raise _taken(wanted, refused) from None

    def remove(self, name: str, *, limit_seconds: float, on_tick: OnTick) -> None:
        first = self.named(name)
        until = time.monotonic() + limit_seconds
        while first is not None:
            self._begin_removal(first, on_tick)
            left = self.named(name)
            if left is None or left.id != first.id:
                return
            if time.monotonic() > until:
                raise EngineRefused(
                    f"The container {name} is not gone after {limit_seconds:g} s: the engine still removes it."
                )
            on_tick()
            time.sleep(_ASK_SECONDS)

    def _begin_removal(self, container: ContainerDetails, on_tick: OnTick) -> None:
        try:
            with self._client.asked(self._client.patience(on_tick=on_tick)) as api:
                api.remove_container(container.id)
        except EngineRefused as refused:
            if refused.status != http.client.NOT_FOUND and _BEING_REMOVED not in refused.said:
                raise

    def logs(self, name: str, *, lines: int) -> str:
        container = self._existing(name)
        with self._client.streaming(
            "GET",
            f"/containers/{container.id}/logs",
            patience=self._client.patience(),
            params={"stdout": "1", "stderr": "1", "tail": str(lines)},
        ) as pieces:
            has_terminal = (container.raw.get("Config") or {}).get("Tty") is True
            kept = b""
            for piece in pieces if has_terminal else (piece for _, piece in frames(pieces)):
                kept = (kept + piece)[-_LOG_BYTES:]
        return kept.decode(errors="replace")

    def execute(
        self,
        name: str,
        command: Sequence[str],
        *,
        limit_seconds: float,
        on_output: OnOutput,
        on_tick: OnTick,
        user: str = "",
        env: Mapping[str, str] | None = None,
    ) -> int:
        asked = Command(self._existing(name).id, name, command, user, env or {}, limit_seconds)
        return self._commands.execute(asked, on_output=on_output, on_tick=on_tick)

    def read_command(
        self,
        name: str,
        command: Sequence[str],
        *,
        limit_seconds: float,
        on_tick: OnTick,
        user: str = "",
        env: Mapping[str, str] | None = None,
    ) -> Iterator[bytes]:
        asked = Command(self._existing(name).id, name, command, user, env or {}, limit_seconds)
        return self._commands.read(asked, on_tick=on_tick)

    def write_file(
        self, name: str, path: str, chunks: Iterable[bytes], *, size: int, mode: int = 0o600
    ) -> None:
        place, container = PurePosixPath(absolute(path)), self._existing(name)
        missing = NoSuchPath(f"The container {name} has no {place.parent}.")
        patience = self._client.patience_for_stream()
        data = noted(_tar_of_one(place.name, chunks, size=size, mode=mode), patience)
        with self._client.asked(patience, missing=missing) as api:
            api.put_archive(container.id, str(place.parent), data)

    def _post(self, path: str, body: Mapping[str, Any]) -> None:
        with self._client.streaming("POST", path, patience=self._client.patience(), body=body):
            pass


def _tar_of_one(name: str, chunks: Iterable[bytes], *, size: int, mode: int) -> Iterator[bytes]:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode, entry.mtime = size, mode, int(time.time())
    yield entry.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
    left = size
    for piece in chunks:
        left -= len(piece)
        if left < 0:
            break
        yield piece
    if left:
        raise ValueError(f"the file for the container holds other than {size} bytes")
    yield bytes(-size % tarfile.BLOCKSIZE + 2 * tarfile.BLOCKSIZE)


def _none_of(name: str) -> NoSuchContainer:
    return NoSuchContainer(f"The engine has no container {name}.")


def _taken(name: str, refused: EngineRefused) -> EngineRefused:
    if refused.status != http.client.CONFLICT:
        return refused
    return NameTaken(
        f"Another container is called {name} already.", status=refused.status, said=refused.said
    )
