"""The Engine protocol: what every way to a device's Docker Engine promises. One conformance suite holds all of them to it.

An Engine is used by one thread at a time, in jobs and never for a web page. It opens its connections when they are needed, one
for each question, and keeps none; `close` ends what lies below them (an SSH connection), and it opens again when it is used.

Promises of every implementation
  * Only errors of `devices.errors` are raised for what an engine, a registry or the network does or fails to do. No answer, or
    a connection that breaks anywhere, also in the middle of a stream, is `EngineUnreachable`, never a result.
  * A stream that ends too early is an error, never a short one: a tar stream is given out to its end mark.
  * Every wait has an end. Streams may be long; silence in them may not (`EngineLimits`).
  * A text that names an image is checked before it is used: `BadReference`. An image is named by a reference, which without
    tag and digest means `latest`, or by its id (`sha256:…`).
  * Nothing is removed by force. What is in use stays, and the error names the containers that use it.
  * Helper containers are never started. They are removed with what they were made for; those that a killed worker left are
    found by their label (`sweep`).
  * A registry's secret is sent to the engine for the one pull that needs it; it is in no message and stays nowhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Protocol, Self

from devices.drivers.engine_containers import Containers
from devices.drivers.shell import OnTick

OnProgress = Callable[[float], None]
"""Called with the part that is done, 0 to 1, never less than before. What it raises ends the work and comes out unchanged."""


@dataclass(frozen=True, slots=True)
class Platform:
    """What images are built for, in Go's words: `linux`, `arm`, `v7`. `variant` is empty where there is none."""

    os: str
    architecture: str
    variant: str = ""

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)


@dataclass(frozen=True, slots=True)
class RegistryLogin:
    """Who we are to a registry: a name with a password or a token."""

    username: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Image:
    """An image that the engine has. `id` is its own digest, `digests` are `repository@sha256:…` of where it came from.

    An image that was built or loaded there has no digests. `size` is in bytes, layers that others share included;
    `created` is ISO 8601, in UTC.
    """

    id: str
    tags: list[str]
    digests: list[str]
    labels: dict[str, str]
    size: int
    created: str
    platform: Platform


@dataclass(frozen=True, slots=True)
class Published:
    """What a registry has under a name for that platform, as an engine finds it there. `labels` and `size` it does not say."""

    digest: str
    platform: Platform
    labels: dict[str, str] = field(default_factory=dict)
    size: int = 0


@dataclass(frozen=True, slots=True)
class Volume:
    """A volume. `mountpoint` is the directory of the device where it lies."""

    name: str
    driver: str
    mountpoint: str
    labels: dict[str, str]
    options: dict[str, str]


@dataclass(frozen=True, slots=True)
class EngineLimits:
    """Seconds to connect, for an answer, for silence within a stream, and after which a helper container is a leftover.

    No stream lasts longer than `helper_seconds`, so a container that is older belongs to nobody.
    """

    connect_seconds: float = 10
    answer_seconds: float = 120
    silence_seconds: float = 120
    helper_seconds: float = 4 * 3600


class Engine(Protocol):
    """Access to one Docker Engine. See the module's docstring for what holds for all methods."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """As `close`."""
        ...

    def version(self) -> str:
        """The engine's name and version, for people: `Docker Engine 20.10.24, API 1.41`."""
        ...

    def platform(self) -> Platform:
        """What the engine runs by itself."""
        ...

    def root_dir(self) -> str:
        """The directory of the device where the engine keeps its images and volumes."""
        ...

    def image(self, reference: str) -> Image | None:
        """The image of that name, or None: it is not there."""
        ...

    def images(self) -> list[Image]:
        """All images, also those without a tag, in no particular order."""
        ...

    def image_config(self, reference: str) -> Mapping[str, Any]:
        """What the image gives to its containers (`Config`), in the engine's own words. `NoSuchImage`."""
        ...

    def published(
        self, reference: str, platform: Platform, *, login: RegistryLogin | None = None
    ) -> Published:
        """What the registry has under that name now, asked by the engine itself; nothing is fetched.

        For whoever reaches the engine but no registry. `NotInRegistry`; `NoSuchPlatform` when it is for others alone.
        """
        ...

    def pull(
        self,
        reference: str,
        *,
        login: RegistryLogin | None,
        on_progress: OnProgress,
        on_tick: OnTick,
        limit_seconds: float,
    ) -> Image:
        """The image is there, whole, as the registry has it now. `on_tick` is heard at least once a second meanwhile.

        `PullFailed` says what the registry said, or that it took longer than `limit_seconds`; `OutOfSpace` that there is no
        room. What was already fetched may stay with the engine, so that the next pull is shorter. What `on_tick` raises
        ends the pull, and comes out unchanged.
        """
        ...

    def tag(self, image_id: str, reference: str) -> None:
        """That image has that tag, which another one had before, perhaps. `NoSuchImage`."""
        ...

    def remove_image(self, reference: str) -> None:
        """The image does not have that tag; without any tag it is gone. Nothing there is not an error.

        By id, the image is gone; one with several tags is not removed so (`EngineRefused`). `ImageInUse` names the containers.
        """
        ...

    def export(self, image_id: str, path: str) -> Iterator[bytes]:
        """The tar stream of that path of the image: its last part, and all below. `NoSuchImage`, `NoSuchPath`.

        Both are known before the first piece. Leaving the iterator early (its `close`) removes the helper too.
        """
        ...

    @property
    def containers(self) -> Containers:
        """The engine's containers: described, made, started, stopped, looked into."""
        ...

    def volumes(self) -> list[str]:
        """The names of all volumes, sorted."""
        ...

    def volume(self, name: str) -> Volume | None:
        """The volume of that name, or None: there is none."""
        ...

    def read_volume(self, name: str) -> Iterator[bytes]:
        """The tar stream of all in it, names relative to the volume (`./…`). `NoSuchVolume`, known before the first piece.

        Containers that write to it meanwhile go on: who needs one moment's contents stops them first.
        """
        ...

    def write_volume(self, name: str, chunks: Iterable[bytes]) -> None:
        """The volume holds exactly what the tar stream holds. It is the same otherwise: driver, options, labels.

        One that was not there is made. `VolumeInUse` names the containers, stopped ones too, that it belongs to; nothing was
        changed then. Nor after `EngineRefused` for a volume that is a directory or a share elsewhere (the option `device`): it
        would not be emptied. After any other error, or when `chunks` raises, it may hold a part: write it again.
        """
        ...

    def sweep(self) -> int:
        """Helper containers that killed workers left are gone; how many there were."""
        ...

    def close(self) -> None:
        """No connection is open any more."""
        ...
