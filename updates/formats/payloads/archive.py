"""Archives that people upload (zip, tar, tar.gz): entry by entry, nothing trusted, nothing unpacked to a disk.

Files and folders only. A link, a device, an encrypted entry or a name that could lead out of the folder is refused, not skipped:
what is installed is what somebody packed, or nothing.
"""

from __future__ import annotations

import io
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO, BinaryIO, Final, NoReturn

from portal.core.quoting import quoted
from updates.errors import ArtifactRefused

FOLDER_MODE: Final = 0o755
FILE_MODE: Final = 0o644
PLAIN_MODES: Final = 0o777
READABLE: Final = 0o444
LONGEST_PATH: Final = 1024
LONGEST_PART: Final = 255
EXTENSION_BYTES: Final = 16 * 1024
DIRECTORY_BYTES: Final = 2 * 2**20
"""Of a zip's central directory, which is read into memory: 200 for each of 10,000 entries."""
END_RECORD_SIZE: Final = 5
ZIP_METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
ENCRYPTED: Final = 0x1
GZIP: Final = b"\x1f\x8b"
ZIP: Final = (b"PK\x03\x04", b"PK\x05\x06")
BLOCK: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """What an archive may ask of us. `bytes` is after unpacking."""

    entries: int = 10_000
    bytes: int = 10 * 2**30


@dataclass(frozen=True, slots=True)
class Entry:
    """A file or folder: a relative path without `.` and `..`, permissions without setuid, and for a file how to open it."""

    path: str
    mode: int
    modified: int
    size: int
    open: Callable[[], IO[bytes]] | None
    """None for a folder."""


@contextmanager
def read_failures() -> Iterator[None]:
    """What the libraries raise over a damaged archive is a refusal. What the system says about a disk (an errno) goes on."""
    try:
        yield
    except (
        tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError,
        OSError,
    ) as error:  # fmt: skip
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise ArtifactRefused("archive-broken", "The archive is damaged or cut off.") from error
    except (UnicodeError, ValueError, OverflowError) as error:
        raise ArtifactRefused("archive-broken", "The archive cannot be read.") from error


def entries_of(archive: BinaryIO) -> Iterator[Entry]:
    """Every file and folder of a zip, tar or tar.gz, in its order; each file is read before the next entry is asked for.

    Raises ArtifactRefused, which says what is wrong. To be used within `read_failures`.
    """
    archive.seek(0)
    start = archive.read(4)
    archive.seek(0)
    if start in ZIP:
        yield from _zip_entries(archive)
    else:
        yield from _tar_entries(archive, "r:gz" if start.startswith(GZIP) else "r:")


def _zip_entries(archive: BinaryIO) -> Iterator[Entry]:
    record = zipfile._EndRecData(archive)  # type: ignore[attr-defined] # before all of it is read into memory
    if record is None:
        raise zipfile.BadZipFile
    if record[END_RECORD_SIZE] > DIRECTORY_BYTES:
        raise ArtifactRefused(
            "archive-entries", "The archive has too many entries, or says too much about them."
        )
    with zipfile.ZipFile(archive) as zipped:
        for info in zipped.infolist():
            kind = stat.S_IFMT(info.external_attr >> 16)
            wanted = stat.S_IFDIR if info.is_dir() else stat.S_IFREG
            if kind not in (0, wanted):
                _refuse_kind(info.filename)
            if info.flag_bits & ENCRYPTED or info.compress_type not in ZIP_METHODS:
                raise ArtifactRefused(
                    "archive-packing",
                    f"The archive's entry {quoted(info.filename)} is encrypted, or packed in an unusual way.",
                )
            mode = (info.external_attr >> 16) & PLAIN_MODES
            if info.is_dir():
                mode |= (mode & READABLE) >> 2  # or nobody could enter it
            yield Entry(
                _checked(info.filename),
                mode or (FOLDER_MODE if info.is_dir() else FILE_MODE),
                _moment(info),
                info.file_size,
                None if info.is_dir() else _opener(zipped, info),
            )


def _moment(info: zipfile.ZipInfo) -> int:
    """Seconds since 1970; 0 where the zip names no day that there is."""
    try:
        return int(datetime(*info.date_time, tzinfo=UTC).timestamp())
    except ValueError:
        return 0


def _opener(zipped: zipfile.ZipFile, info: zipfile.ZipInfo) -> Callable[[], IO[bytes]]:
    return lambda: zipped.open(info)


class _PlainInfo(tarfile.TarInfo):
    """A header of which no extension is larger than a name can be. Sparse files are none that we know."""

    def _proc_pax(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        self._limit()
        return super()._proc_pax(archive)  # type: ignore[misc,no-any-return]

    def _proc_gnulong(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        self._limit()
        return super()._proc_gnulong(archive)  # type: ignore[misc,no-any-return]

    def _proc_sparse(self, archive: tarfile.TarFile) -> NoReturn:
        _refuse_kind(self.name)

    def _proc_gnusparse_00(self, *_: object) -> NoReturn:
        _refuse_kind(self.name)

    _proc_gnusparse_01 = _proc_gnusparse_10 = _proc_gnusparse_00

    def _limit(self) -> None:
        if self.size > EXTENSION_BYTES:
            raise ArtifactRefused("archive-name", "The archive has a name that is far too long.")


def _tar_entries(archive: BinaryIO, mode: str) -> Iterator[Entry]:
    with tarfile.open(fileobj=archive, mode=mode, tarinfo=_PlainInfo) as tar:  # type: ignore[call-overload]
        while (info := tar.next()) is not None:
            if not (info.isdir() or info.type in (tarfile.REGTYPE, tarfile.AREGTYPE)):
                _refuse_kind(info.name)
            path = "." if info.isdir() and info.name in (".", "./") else _checked(info.name)
            mode_there = info.mode & PLAIN_MODES
            opened = None if info.isdir() else _member(tar, info)
            yield Entry(path, mode_there, max(0, int(info.mtime)), info.size, opened)
            tar.members = []  # else each one is kept
        _require_end(tar)


def _member(tar: tarfile.TarFile, info: tarfile.TarInfo) -> Callable[[], IO[bytes]]:
    return lambda: tar.extractfile(info) or io.BytesIO()


def _require_end(tar: tarfile.TarFile) -> None:
    """tarfile takes a damaged header for the end. Behind the real one there is nothing but zeros."""
    source = tar.fileobj
    source.seek(tar.offset)
    while chunk := source.read(BLOCK):
        if chunk.strip(b"\0"):
            raise tarfile.ReadError


def _checked(name: str) -> str:
    path = name.removeprefix("./").rstrip("/")
    parts = path.split("/")
    is_plain = name.isprintable() and "\\" not in name and not name.startswith("/")
    if not (
        is_plain
        and not {"", ".", ".."} & set(parts)
        and len(path) <= LONGEST_PATH
        and max(len(part.encode()) for part in parts) <= LONGEST_PART
    ):
        raise ArtifactRefused(
            "archive-name",
            f"The archive has an entry {quoted(name)}: names are relative paths, without '..' and unprintable characters.",
        )
    return path


def _refuse_kind(name: str) -> NoReturn:
    raise ArtifactRefused(
        "archive-entry", f"The archive's entry {quoted(name)} is neither a file nor a folder."
    )
