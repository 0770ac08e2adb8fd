"""What an engine promises of its containers: `Engine.containers`. The promises of `devices.drivers.engine` hold here too.

Besides them
  * A container is named by its whole name, never by an id or a part of one: `NoSuchContainer` where there is none of it.
  * What is done already is no error: starting what runs, stopping what stands, connecting what is connected, removing what is
    gone. So whoever does not know whether an answer was lost asks again.
  * Nothing is removed, and nothing is stopped, but what is named; volumes stay, those without a name of their own too.
  * An engine ends no command in a container. One that is left before its end, by a limit, a tick or a closed iterator, may go
    on there until it notices that nobody reads it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from devices.drivers.shell import OnOutput, OnTick


@dataclass(frozen=True, slots=True)
class Container:
    """A container as lists have it. `image` is the text that it was made with, `state` the engine's word (`running`, …).

    `health` is empty without a health check, else `starting`, `healthy` or `unhealthy`. `volumes` are the names of those
    that it has, also those that the engine named itself. `network_mode` is `container:` and an id where it shares the
    network of another container. `written_paths` are those of the device that are mounted in it and that it may write to.
    """

    id: str
    name: str
    image_id: str
    image: str
    state: str
    health: str
    labels: dict[str, str]
    volumes: list[str]
    network_mode: str = ""
    written_paths: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Mount:
    """What a container has at the path `target`. `kind`: `volume`, `bind` or `tmpfs`.

    `source` is a path on the device, for a volume where it lies there; `volume` is the volume's name, empty for other kinds.
    """

    kind: str
    volume: str
    source: str
    target: str
    writable: bool


@dataclass(frozen=True, slots=True)
class ContainerDetails:
    """All about one container. `state`, `health`, `image` and `network_mode` are as in `Container`.

    `exit_code` is what it ended with last, 0 before its first end. `restart_count`: how often the engine restarted it since
    somebody started it. Times are ISO 8601 in UTC to the microsecond, so that they sort; empty where there is none yet.
    `networks`: the address in each network, empty while it does not run. `restart_policy`: `no`, `always`, `on-failure`,
    `unless-stopped`. One with `auto_remove` is gone when it stops. `raw` is the engine's whole answer, environment and all:
    not for logs.
    """

    id: str
    name: str
    image_id: str
    image: str
    state: str
    exit_code: int
    health: str
    restart_count: int
    started_at: str
    finished_at: str
    labels: dict[str, str]
    mounts: list[Mount]
    networks: dict[str, str]
    restart_policy: str
    auto_remove: bool
    network_mode: str
    raw: Mapping[str, Any] = field(repr=False)


class Containers(Protocol):
    """The containers of one engine. See the module's docstring for what holds for all methods."""

    def all(self, *, running_only: bool = False) -> list[Container]:
        """All of them; or those alone that run."""
        ...

    def named(self, name: str) -> ContainerDetails | None:
        """The container of exactly that name, or None: there is none."""
        ...

    def create(self, name: str, body: Mapping[str, Any]) -> str:
        """There is a new container of that name, which does not run; its id. `body` is the engine's own (`ContainerCreate`).

        `NameTaken` when there is one of that name, `NoSuchImage` when its image is not there.
        """
        ...

    def connect(self, name: str, network: str, settings: Mapping[str, Any]) -> None:
        """The container is in that network. `settings` are the engine's own (`EndpointSettings`).

        One that was in it before keeps the settings that it had.
        """
        ...

    def start(self, name: str) -> None:
        """The container was started: its first process ran. It may have ended since, or not work: that is for who watches it."""
        ...

    def stop(self, name: str, *, grace_seconds: int, on_tick: OnTick) -> None:
        """The container does not run, and its restart policy does not start it until the engine itself starts again.

        It was asked to end with its own signal and had `grace_seconds` for it; then it was killed.
        """
        ...

    def set_restart_policy(self, name: str, policy: Mapping[str, Any]) -> None:
        """The container has that policy from now on, in the engine's words: `{"Name": "no"}`.

        One that is `always` to run starts when the engine does, though it was stopped before.
        """
        ...

    def rename(self, name: str, new_name: str) -> None:
        """The container has the new name. `NameTaken`."""
        ...

    def remove(self, name: str, *, limit_seconds: float, on_tick: OnTick) -> None:
        """There is no container of that name any more; one that is being removed already is waited for.

        One that runs is not removed (`EngineRefused`). The same when its name is not free after `limit_seconds`.
        """
        ...

    def logs(self, name: str, *, lines: int) -> str:
        """The last lines, 64 KiB of them at most, that it wrote to its standard output and error.

        `EngineRefused` if none are kept.
        """
        ...

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
        """The command has ended in the running container; its status. 126 or 127: no such program.

        `on_output` hears what it writes, standard error too, as it comes. `user` is the container's own if empty.
        `CommandTimedOut` after `limit_seconds`. What `on_output` and `on_tick` raise comes out unchanged.
        """
        ...

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
        """What the command writes to its standard output, in pieces; it was whole when the iterator ends.

        `CommandFailed` at its end, with the last of its standard error, when the status is not 0; `CommandTimedOut`.
        """
        ...

    def write_file(
        self, name: str, path: str, chunks: Iterable[bytes], *, size: int, mode: int = 0o600
    ) -> None:
        """The file is at `path` in the container, which need not run, with `size` bytes and that mode; it is root's.

        `NoSuchPath` when the directory is not there. After any other error, or when `chunks` raises or holds another number of
        bytes (ValueError), a part of it may be there.
        """
        ...
