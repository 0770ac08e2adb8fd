"""What an artifact is to be, before it is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from updates.formats.byte_source import ByteSource
from updates.formats.mender_artifact.description import StateScript
from updates.formats.mender_artifact.packing import Packing

OpenSource = Callable[[], AbstractContextManager[ByteSource]]


@dataclass(frozen=True, slots=True)
class PayloadSource:
    """A file of the payload. `open` is called twice, for its checksum and for its content, each time from its beginning."""

    name: str
    open: OpenSource


def file_at(path: Path, *, name: str = "") -> PayloadSource:
    """The file at `path`, under its own name or under `name`."""
    return PayloadSource(name or path.name, lambda: path.open("rb"))


def file_from(stream: BinaryIO, *, name: str) -> PayloadSource:
    """What a stream holds that can be wound back, such as an upload. It stays open."""

    @contextmanager
    def from_the_beginning() -> Iterator[ByteSource]:
        stream.seek(0)
        yield stream

    return PayloadSource(name, from_the_beginning)


@dataclass(frozen=True, slots=True)
class ArtifactSpec:
    """All that `write_artifact` needs to know. Nothing is added to it: see `defaults` for what mender-artifact would add.

    `payload_type` None is a bootstrap artifact. `clears_provides` None leaves the list out. `checksum_key` is the provide under
    which the SHA-256 of the payload's one file is given, "" for none. `meta_data` is the text of a JSON object, or "" for none.
    """

    name: str
    device_types: tuple[str, ...]
    payload_type: str | None
    files: tuple[PayloadSource, ...] = ()
    group: str = ""
    depends_names: tuple[str, ...] = ()
    depends_groups: tuple[str, ...] = ()
    depends: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    provides: Mapping[str, str] = field(default_factory=dict)
    clears_provides: tuple[str, ...] | None = None
    checksum_key: str = ""
    meta_data: str = ""
    scripts: tuple[StateScript, ...] = ()
    packing: Packing = Packing.GZIP
