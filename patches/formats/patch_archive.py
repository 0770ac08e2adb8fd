"""The zip that people upload as a hot patch: read whole, within limits, and refused if anything about it is odd.

What a library does silently with an odd archive (names rewritten, twins of which the last one wins, bytes before the zip) would
make the composition on the page another one than that on the nodes. So whatever can be read in two ways is no patch.
"""

from __future__ import annotations

import unicodedata
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import IO, BinaryIO, Final

from patches.errors import PatchRefused
from portal.core.quoting import quoted
from updates.errors import ArtifactRefused
from updates.formats.payloads.archive import entries_of, read_failures

UTF8_NAME: Final = 0x800
LOCAL_HEADER: Final = 30
NAMES_AT: Final = 26
RATIO_FREE: Final = 2**20
"""Files up to this size may be packed as tightly as they like."""
_DIRECTORY_SIZE, _DIRECTORY_AT, _END_AT = 5, 6, 9
RELEASE_FILES: Final = (".rel", ".boot", ".relup")


@dataclass(frozen=True, slots=True)
class PatchLimits:
    """What an archive may ask of us, in bytes. `unpacked` is for all of it."""

    packed: int = 10 * 2**20
    unpacked: int = 100 * 2**20
    entries: int = 2000
    ratio: int = 100


@dataclass(frozen=True, slots=True)
class PackedFile:
    """One file of the archive. `path` is relative, with `/`, without `..`."""

    path: str
    mode: int
    data: bytes = field(repr=False)


def read_patch(archive: BinaryIO, *, limits: PatchLimits) -> list[PackedFile]:
    """Every file of the archive, in its order. PatchRefused, with the rule, if it is not a plain zip of plain files."""
    with _refusals():
        _require_plain_end(archive, limits)
        with zipfile.ZipFile(archive) as zipped:
            infos = zipped.infolist()
            _require_plain_names(infos, limits)
            _require_no_overlap(archive, infos, end=zipped.start_dir)
            _require_bounded(infos, limits)
        files = [
            PackedFile(path=entry.path, mode=entry.mode, data=_whole(entry.open))
            for entry in entries_of(archive)
            if entry.open is not None
        ]
    if not files:
        raise PatchRefused("archive-empty", "The archive holds no file.")
    _require_no_twins([file.path for file in files])
    _require_no_release([file.path for file in files])
    return files


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        with read_failures():
            yield
    except ArtifactRefused as refusal:
        raise PatchRefused(refusal.rule, str(refusal)) from refusal
    except RuntimeError as error:  # zipfile, of an entry that says one thing here and another there
        raise PatchRefused("archive-broken", "The archive cannot be read.") from error


def _require_plain_end(archive: BinaryIO, limits: PatchLimits) -> None:
    """Checked before the directory is read into memory."""
    size = archive.seek(0, 2)
    if size > limits.packed:
        raise PatchRefused(
            "archive-size", f"The archive has {size} bytes; {limits.packed} are allowed."
        )
    end = zipfile._EndRecData(archive)  # type: ignore[attr-defined]
    if end is None:
        raise PatchRefused("archive-kind", "The file is not a zip archive.")
    if end[_END_AT] != end[_DIRECTORY_AT] + end[_DIRECTORY_SIZE]:
        raise PatchRefused("archive-prefix", "There is something before the zip in the file.")


def _require_plain_names(infos: list[zipfile.ZipInfo], limits: PatchLimits) -> None:
    if len(infos) > limits.entries:
        raise PatchRefused(
            "archive-entries",
            f"The archive has {len(infos)} entries; {limits.entries} are allowed.",
        )
    for info in infos:
        if "\0" in info.orig_filename or not info.filename:
            raise PatchRefused("archive-name", "The archive has an entry with a NUL in its name.")
        if not info.flag_bits & UTF8_NAME and not info.filename.isascii():
            raise PatchRefused(
                "archive-name",
                f"The name {quoted(info.filename)} is not in UTF-8, or does not say so.",
            )


def _require_no_overlap(archive: BinaryIO, infos: list[zipfile.ZipInfo], *, end: int) -> None:
    """Entries that share bytes unpack to far more than they hold."""
    free = 0
    for info in sorted(infos, key=lambda one: one.header_offset):
        if info.header_offset < free:
            raise PatchRefused("archive-overlap", "The archive has entries that share their bytes.")
        archive.seek(info.header_offset + NAMES_AT)
        lengths = archive.read(LOCAL_HEADER - NAMES_AT)
        names = int.from_bytes(lengths[:2], "little") + int.from_bytes(lengths[2:], "little")
        free = info.header_offset + LOCAL_HEADER + names + info.compress_size
    if free > end:
        raise PatchRefused("archive-overlap", "The archive has entries that share their bytes.")


def _whole(opened: Callable[[], IO[bytes]]) -> bytes:
    with opened() as stream:
        return stream.read()


def _require_bounded(infos: list[zipfile.ZipInfo], limits: PatchLimits) -> None:
    """By what the directory says: an entry is never read further than that, and then has to be whole."""
    if sum(info.file_size for info in infos) > limits.unpacked:
        raise PatchRefused(
            "archive-bomb", f"The archive unpacks to more than {limits.unpacked} bytes."
        )
    for info in infos:
        if info.file_size > max(RATIO_FREE, info.compress_size * limits.ratio):
            raise PatchRefused(
                "archive-bomb",
                f"{quoted(info.filename)} is packed more than {limits.ratio} to 1: that is no code.",
            )


def _require_no_twins(paths: list[str]) -> None:
    """Two names that one file system or another takes for the same."""
    seen: dict[str, str] = {}
    for path in paths:
        word = unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())
        if word in seen:
            raise PatchRefused(
                "archive-twins",
                f"The archive holds {quoted(seen[word])} and {quoted(path)}: which one is meant?",
            )
        seen[word] = path
    folders = {str(parent) for path in seen for parent in PurePosixPath(path).parents}
    if both := sorted(folders & set(seen)):
        raise PatchRefused("archive-twins", f"{quoted(seen[both[0]])} is a file and a folder.")


def _require_no_release(paths: list[str]) -> None:
    """An archive that carries the whole of a version describes it: that is an upgrade."""
    for path in paths:
        if PurePosixPath(path).suffix in RELEASE_FILES:
            raise PatchRefused(
                "whole-version",
                f"{quoted(path)} describes a whole version: that is an upgrade, not a patch.",
            )
