"""Files of compiled Erlang: the module's name and the version of its code, without any Erlang.

For people to read, and to prefer one answer over another early; what counts is what a node says. A file is an IFF form: "FOR1",
its size, "BEAM", then chunks of a four-letter id, a size and the data, padded to four bytes (OTP's beam_lib). The version is
the MD5 that `code:module_md5/1` gives: over the chunks that hold code, in a fixed order, with one field of FunT left out.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

CODE_CHUNKS: Final = (b"Code", b"StrT", b"ImpT", b"ExpT", b"FunT", b"LitT", b"Meta")
UNPACKED_LIMIT: Final = 64 * 2**20
FUN_ROW: Final = 24
GZIP: Final = b"\x1f\x8b"


class NotBeam(ValueError):
    """The bytes are not a file of compiled Erlang; the sentence says why."""


@dataclass(frozen=True, slots=True)
class BeamFile:
    """`version` is hexadecimal."""

    name: str
    version: str


def read_beam(data: bytes) -> BeamFile:
    """What the file says of itself. NotBeam if it is damaged or something else."""
    plain = _unpacked(data) if data.startswith(GZIP) else data
    chunks = dict(_chunks(plain))
    atoms = chunks.get(b"AtU8", chunks.get(b"Atom"))
    if atoms is None or b"Code" not in chunks:
        raise NotBeam("It has no code, or no names.")
    digest = hashlib.md5(usedforsecurity=False)
    digest.update(atoms)
    for name in CODE_CHUNKS:
        chunk = chunks.get(name, b"")
        digest.update(_without_uniq(chunk) if name == b"FunT" else chunk)
    return BeamFile(name=_first_atom(atoms), version=digest.hexdigest())


def _unpacked(data: bytes) -> bytes:
    reader = zlib.decompressobj(wbits=31)
    try:
        plain = reader.decompress(data, UNPACKED_LIMIT)
    except zlib.error:
        raise NotBeam("It is packed by gzip, and damaged.") from None
    if not reader.eof:
        raise NotBeam("It is packed by gzip, and cut off or far too large.")
    return plain


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    if len(data) < 12 or data[:4] != b"FOR1" or data[8:12] != b"BEAM":
        raise NotBeam("It does not begin like compiled Erlang.")
    (size,) = struct.unpack_from(">I", data, 4)
    if size + 8 > len(data):
        raise NotBeam("It is cut off.")
    at = 12
    while at + 8 <= size + 8:
        name, length = struct.unpack_from(">4sI", data, at)
        if at + 8 + length > len(data):
            raise NotBeam("It is cut off.")
        yield name, data[at + 8 : at + 8 + length]
        at += 8 + (length + 3) // 4 * 4


def _without_uniq(chunk: bytes) -> bytes:
    """The table of local functions, with the last word of each row (OldUniq) zero: it depends on more than the code."""
    if len(chunk) < 4:
        return chunk
    rows = bytearray(chunk)
    for end in range(4 + FUN_ROW, len(chunk) + 1, FUN_ROW):
        rows[end - 4 : end] = bytes(4)
    return bytes(rows)


def _first_atom(atoms: bytes) -> str:
    """The module's own name is the first. From OTP 28 on the count is negative, and lengths are in the compact form."""
    if len(atoms) < 5:
        raise NotBeam("It has no name.")
    (count,) = struct.unpack_from(">i", atoms)
    at, length = 5, atoms[4]
    if count < 0:
        if length & 0b1000:
            length, at = ((length & 0b11100000) << 3) | atoms[5:6].ljust(1, b"\0")[0], 6
        else:
            length >>= 4
    name = atoms[at : at + length]
    if not name or len(name) != length:
        raise NotBeam("It has no name.")
    try:
        text = name.decode()
    except UnicodeDecodeError:
        raise NotBeam("Its name is not text.") from None
    if not text.isprintable():
        raise NotBeam("Its name is not text.")
    return text
