"""One 512-byte header of a tar, and the extensions that may stand in front of it.

Sources: POSIX.1-2017 pax (ustar interchange format, extended header), the GNU tar manual's "Basic Tar Format".
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from portal.core.quoting import quoted
from updates.formats.tar.dialect import Dialect

BLOCK_BYTES = 512

REGULAR = b"0"
HARD_LINK = b"1"
SYMBOLIC_LINK = b"2"
DIRECTORY = b"5"
PAX_EXTENSION = b"x"
GNU_LONG_NAME = b"L"
GNU_LONG_LINK = b"K"

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
    HARD_LINK: "a hard link",
    SYMBOLIC_LINK: "a symbolic link",
    b"3": "a character device",
    b"4": "a block device",
    DIRECTORY: "a directory",
    b"6": "a named pipe",
    GNU_LONG_LINK: "a GNU long link name",
    b"S": "a sparse file",
    b"g": "a global PAX header",
}


@dataclass(frozen=True, slots=True)
class TarHeader:
    """What we use of a header. `kind` is the type flag, with the old NUL for a regular file already made REGULAR."""

    name: bytes
    size: int
    kind: bytes
    mode: int
    link: bytes


@dataclass(frozen=True, slots=True)
class TarExtension:
    """What an extension says about the member behind it; None where it says nothing."""

    name: bytes | None = None
    size: int | None = None
    link: bytes | None = None

    def of(self, header: TarHeader) -> TarHeader:
        """The header with what the extension says instead."""
        return replace(
            header,
            name=header.name if self.name is None else self.name,
            size=header.size if self.size is None else self.size,
            link=header.link if self.link is None else self.link,
        )


def parse_header(block: bytes, *, where: str, dialect: Dialect) -> TarHeader:
    """Read one block. Its checksum, its numbers and its format are right afterwards; name and type are not judged."""
    magic = block[257:265]
    numbers = {field: _number(block[part]) for field, part in _NUMBERS.items()}
    unsigned_sum = sum(block) - sum(block[_CHECKSUM]) + 8 * ord(" ")
    if numbers["checksum"] != unsigned_sum:
        raise dialect.refused("tar-header", f"No tar header is {where}: its checksum is wrong.")
    if magic not in (_USTAR, _GNU):
        raise dialect.refused("tar-header", f"No ustar or GNU header is {where}.")
    size, mode = numbers["size"], numbers["mode"]
    if size is None or mode is None or None in numbers.values():
        raise dialect.refused("tar-header", f"A field that should be a number is none in {where}.")
    name = _text(block[0:100])
    prefix = _text(block[345:500]) if magic == _USTAR else b""
    return TarHeader(
        name=prefix + b"/" + name if prefix else name,
        size=size,
        kind=REGULAR if block[156:157] == b"\0" else block[156:157],
        mode=mode,
        link=_text(block[157:257]),
    )


def describe_kind(kind: bytes) -> str:
    """A noun for an entry that is not a regular file."""
    return _ENTRY_TYPES.get(kind, f"an entry of type {quoted(kind)}")


def parse_extension(content: bytes, *, kind: bytes, where: str, dialect: Dialect) -> TarExtension:
    """Read what stands in an extension's data: PAX records, or GNU's long name with its NUL."""
    if kind in (GNU_LONG_NAME, GNU_LONG_LINK):
        name = content.removesuffix(b"\0")
        if not name or b"\0" in name:
            raise dialect.refused("tar-extension", f"No usable long name is in {where}.")
        return TarExtension(name=name) if kind == GNU_LONG_NAME else TarExtension(link=name)
    records = _pax_records(content, where=where, dialect=dialect)
    size = int(records[b"size"]) if b"size" in records else None
    if size is not None and size > _MAX_SIZE:
        raise dialect.refused("tar-extension", f"An impossible size is given in {where}.")
    return TarExtension(name=records.get(b"path"), size=size, link=records.get(b"linkpath"))


def _pax_records(content: bytes, *, where: str, dialect: Dialect) -> dict[bytes, bytes]:
    records: dict[bytes, bytes] = {}
    at = 0
    while at < len(content):
        length_text, blank, _ = content[at : at + 8].partition(b" ")
        length = int(length_text) if blank and length_text.isdigit() else 0
        record = content[at : at + length]
        if length <= len(length_text) + 2 or len(record) < length or not record.endswith(b"\n"):
            raise dialect.refused("tar-extension", f"A malformed PAX record is in {where}.")
        key, equals, value = record[len(length_text) + 1 : -1].partition(b"=")
        if not equals or key in records or not dialect.allows(key, value):
            raise dialect.refused(
                "tar-extension",
                f"The PAX record {quoted(record[:-1])} in {where} is not one that {dialect.writer} writes.",
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
