"""One 512-byte header of a tar, and the two extensions that may stand in front of it.

Sources: POSIX.1-2017 pax (ustar interchange format, extended header), the GNU tar manual's "Basic Tar Format".
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from updates.errors import ArtifactRefused
from updates.formats.mender_artifact.quoting import quoted

BLOCK_BYTES = 512

REGULAR = b"0"
PAX_EXTENSION = b"x"
GNU_LONG_NAME = b"L"

_USTAR = b"ustar\x0000"
_GNU = b"ustar  \x00"
_OCTAL = re.compile(rb" *([0-7]*)[ \0]*")
_CHECKSUM = slice(148, 156)
_NUMBERS = {
    "mode": slice(100, 108),
    "uid": slice(108, 116),
    "gid": slice(116, 124),
    "size": slice(124, 136),
    "mtime": slice(136, 148),
    "checksum": _CHECKSUM,
    "devmajor": slice(329, 337),
    "devminor": slice(337, 345),
}
_MAX_SIZE = 2**63 - 1
_ENTRY_TYPES = {
    b"1": "a hard link",
    b"2": "a symbolic link",
    b"3": "a character device",
    b"4": "a block device",
    b"5": "a directory",
    b"6": "a named pipe",
    b"K": "a GNU long link name",
    b"S": "a sparse file",
    b"g": "a global PAX header",
}

# What Go's, GNU's, BSD's and Python's writers put there. Anything else could change what a member is (sparse maps,
# link targets, character sets) and is read differently by the clients' two tar libraries.
_PAX_VALUES = {
    b"path": re.compile(rb".+", re.DOTALL),
    b"size": re.compile(rb"[0-9]{1,19}"),
    b"uid": re.compile(rb"[0-9]{1,19}"),
    b"gid": re.compile(rb"[0-9]{1,19}"),
    b"uname": re.compile(rb"[^\0]*"),
    b"gname": re.compile(rb"[^\0]*"),
    b"mtime": re.compile(rb"-?[0-9]{1,19}(\.[0-9]*)?"),
    b"atime": re.compile(rb"-?[0-9]{1,19}(\.[0-9]*)?"),
    b"ctime": re.compile(rb"-?[0-9]{1,19}(\.[0-9]*)?"),
    b"comment": re.compile(rb".*", re.DOTALL),
}


@dataclass(frozen=True, slots=True)
class TarHeader:
    """What we use of a header. `kind` is the type flag, with the old NUL for a regular file already made REGULAR."""

    name: bytes
    size: int
    kind: bytes


@dataclass(frozen=True, slots=True)
class TarExtension:
    """What an extension says about the member behind it; None where it says nothing."""

    name: bytes | None = None
    size: int | None = None


def parse_header(block: bytes, *, where: str) -> TarHeader:
    """Read one block. Its checksum, its numbers and its format are right afterwards; name and type are not judged."""
    magic = block[257:265]
    numbers = {field: _number(block[part]) for field, part in _NUMBERS.items()}
    unsigned_sum = sum(block) - sum(block[_CHECKSUM]) + 8 * ord(" ")
    if numbers["checksum"] != unsigned_sum:
        raise ArtifactRefused("tar-header", f"No tar header is {where}: its checksum is wrong.")
    if magic not in (_USTAR, _GNU):
        raise ArtifactRefused("tar-header", f"No ustar or GNU header is {where}.")
    size = numbers["size"]
    if size is None or None in numbers.values():
        raise ArtifactRefused("tar-header", f"A field that should be a number is none in {where}.")
    name = _text(block[0:100])
    prefix = _text(block[345:500]) if magic == _USTAR else b""
    kind = REGULAR if block[156:157] == b"\0" else block[156:157]
    return TarHeader(name=prefix + b"/" + name if prefix else name, size=size, kind=kind)


def describe_kind(kind: bytes) -> str:
    """A noun for an entry that is not a regular file."""
    return _ENTRY_TYPES.get(kind, f"an entry of type {quoted(kind)}")


def parse_extension(content: bytes, *, kind: bytes, where: str) -> TarExtension:
    """Read what stands in an extension's data: PAX records, or GNU's long name with its NUL."""
    if kind == GNU_LONG_NAME:
        name = content.removesuffix(b"\0")
        if not name or b"\0" in name:
            raise ArtifactRefused("tar-extension", f"No usable long name is in {where}.")
        return TarExtension(name=name)
    records = _pax_records(content, where=where)
    size = int(records[b"size"]) if b"size" in records else None
    if size is not None and size > _MAX_SIZE:
        raise ArtifactRefused("tar-extension", f"An impossible size is given in {where}.")
    return TarExtension(name=records.get(b"path"), size=size)


def _pax_records(content: bytes, *, where: str) -> dict[bytes, bytes]:
    records: dict[bytes, bytes] = {}
    at = 0
    while at < len(content):
        length_text, blank, _ = content[at : at + 8].partition(b" ")
        length = int(length_text) if blank and length_text.isdigit() else 0
        record = content[at : at + length]
        if length <= len(length_text) + 2 or len(record) < length or not record.endswith(b"\n"):
            raise ArtifactRefused("tar-extension", f"A malformed PAX record is in {where}.")
        key, equals, value = record[len(length_text) + 1 : -1].partition(b"=")
        pattern = _PAX_VALUES.get(key)
        if not equals or pattern is None or key in records or not pattern.fullmatch(value):
            raise ArtifactRefused(
                "tar-extension",
                f"The PAX record {quoted(record[:-1])} in {where} is not one that a Mender tool writes.",
            )
        records[key] = value
        at += length
    return records


def _number(field: bytes) -> int | None:
    """Octal digits, or GNU's base 256 with its first bit set; None for anything else, also a negative number."""
    if field[0] == 0x80:
        value = int.from_bytes(field[1:])
        return value if value <= _MAX_SIZE else None
    match = _OCTAL.fullmatch(field)
    return int(match[1] or b"0", 8) if match else None


def _text(field: bytes) -> bytes:
    return field.partition(b"\0")[0]
