"""A plain tar out of whatever archive somebody uploaded."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO, BinaryIO, Final

from portal.core.quoting import quoted
from updates.errors import ArtifactRefused
from updates.formats.payloads.archive import ArchiveLimits, Entry, entries_of, read_failures

_LIMITS: Final = ArchiveLimits()


@dataclass(frozen=True, slots=True)
class Tree:
    """How many files there are, and how many bytes in them."""

    files: int
    size: int


def write_tree(archive: BinaryIO, out: BinaryIO, *, limits: ArchiveLimits = _LIMITS) -> Tree:
    """A tar of the archive's files and folders stands in `out`: owned by root, without links, each name once.

    Any tar on a device can read it. ArtifactRefused for an archive that holds anything else, that is damaged, or too large.
    """
    files = size = 0
    with read_failures(), tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for entry in _each_once(archive, limits=limits):
            info = tarfile.TarInfo(entry.path)
            info.mode, info.mtime = entry.mode, entry.modified
            if entry.open is None:
                info.type = tarfile.DIRTYPE
                tar.addfile(info)
            else:
                info.size = entry.size
                size += entry.size
                _refuse_above(size, limit=limits.bytes)
                with entry.open() as source:
                    tar.addfile(info, source)
                    _require_used_up(source, entry)
                files += 1
            tar.members = []  # type: ignore[attr-defined] # else each one is kept
    if not files:
        raise ArtifactRefused("archive-empty", "The archive has no file in it.")
    return Tree(files=files, size=size)


def _each_once(archive: BinaryIO, *, limits: ArchiveLimits) -> Iterator[Entry]:
    known: set[str] = set()
    files: set[str] = set()
    for number, entry in enumerate(entries_of(archive), start=1):
        if number > limits.entries:
            raise ArtifactRefused(
                "archive-entries", f"The archive has more than {limits.entries} entries."
            )
        parents = {str(parent) for parent in PurePosixPath(entry.path).parents}
        if entry.path in known or parents & files:
            raise ArtifactRefused(
                "archive-twice",
                f"The archive has {quoted(entry.path)} twice, or inside of what is a file.",
            )
        known.add(entry.path)
        if entry.open is not None:
            files.add(entry.path)
        yield entry


def _require_used_up(source: IO[bytes], entry: Entry) -> None:
    if source.read(1):
        raise ArtifactRefused(
            "archive-broken", f"The archive's entry {quoted(entry.path)} is longer than it says."
        )


def _refuse_above(size: int, *, limit: int) -> None:
    if size > limit:
        raise ArtifactRefused(
            "archive-size", f"The archive unpacks to more than the {limit} bytes that are allowed."
        )
