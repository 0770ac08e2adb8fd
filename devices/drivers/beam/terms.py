"""Erlang's external term format (erts: "External Term Format"), as far as the portal speaks it.

Python's values stand for Erlang's: int, float, Atom, bytes (binary), tuple, list, dict (map). Of pids, references and ports
nothing is wanted but that they can be passed over. A codec of our own, because what comes from a node is limited here:
no compressed terms, no atoms by cache, a depth, and no size that the bytes do not hold.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

DEEPEST: Final = 64
VERSION: Final = 131

_SMALL_INTEGER, _INTEGER, _SMALL_BIG, _LARGE_BIG = 97, 98, 110, 111
_FLOAT, _BINARY, _BITS = 70, 109, 77
_ATOM_UTF8, _SMALL_ATOM_UTF8, _ATOM_LATIN1, _SMALL_ATOM_LATIN1 = 118, 119, 100, 115
_SMALL_TUPLE, _LARGE_TUPLE, _NIL, _STRING, _LIST, _MAP = 104, 105, 106, 107, 108, 116
_NEW_PID = 88


class TermDamaged(ValueError):
    """Bytes that are no term, or one beyond our limits."""


class Atom(str):
    """An Erlang atom. Equal to the str of its name, so that it can be compared with literals."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Pid:
    """An Erlang process. Only our own is ever sent: `number` tells our calls apart."""

    node: str
    number: int
    creation: int


@dataclass(frozen=True, slots=True)
class Opaque:
    """A term that is only passed over: a reference, port, function, bit string or improper list."""

    kind: str


Term = (
    int
    | float
    | str
    | bytes
    | Pid
    | Opaque
    | tuple["Term", ...]
    | list["Term"]
    | dict["Term", "Term"]
)
"""A str that is no Atom is never decoded, and is refused when it is to be encoded: say whether it is an atom or a binary."""


def encode(term: Term) -> bytes:
    """`term` with the version byte before it."""
    pieces = [bytes([VERSION])]
    _put(term, pieces)
    return b"".join(pieces)


def _put(term: Term, pieces: list[bytes]) -> None:
    match term:
        case bool():
            _put(Atom("true" if term else "false"), pieces)
        case int():
            pieces.append(_integer(term))
        case float():
            pieces.append(struct.pack(">Bd", _FLOAT, term))
        case Atom():
            name = term.encode()
            pieces.append(struct.pack(">BH", _ATOM_UTF8, len(name)) + name)
        case bytes():
            pieces.append(struct.pack(">BI", _BINARY, len(term)))
            pieces.append(term)
        case Pid():
            pieces.append(bytes([_NEW_PID]))
            _put(Atom(term.node), pieces)
            pieces.append(struct.pack(">III", term.number, 0, term.creation))
        case tuple() | list() | dict():
            _put_many(term, pieces)
        case _:
            raise TypeError(f"{type(term).__name__} has no term that stands for it")


def _put_many(term: tuple[Term, ...] | list[Term] | dict[Term, Term], pieces: list[bytes]) -> None:
    if isinstance(term, dict):
        pieces.append(struct.pack(">BI", _MAP, len(term)))
        for key, value in term.items():
            _put(key, pieces)
            _put(value, pieces)
        return
    if isinstance(term, tuple):
        pieces.append(struct.pack(">BI", _LARGE_TUPLE, len(term)))
    elif term:
        pieces.append(struct.pack(">BI", _LIST, len(term)))
    for element in term:
        _put(element, pieces)
    if isinstance(term, list):
        pieces.append(bytes([_NIL]))


def _integer(number: int) -> bytes:
    if 0 <= number <= 255:
        return bytes([_SMALL_INTEGER, number])
    if -(2**31) <= number < 2**31:
        return struct.pack(">Bi", _INTEGER, number)
    digits = abs(number).to_bytes((number.bit_length() + 7) // 8, "little")
    return struct.pack(">BIB", _LARGE_BIG, len(digits), number < 0) + digits


def decode(data: bytes) -> Term:
    """The term that `data` is, with its version byte, and nothing behind it. `TermDamaged` otherwise."""
    term, rest = decode_first(data)
    if rest:
        raise TermDamaged("There is something behind the term.")
    return term


def decode_first(data: bytes) -> tuple[Term, bytes]:
    """The first of the terms in `data`, and what comes behind it: a distribution message has one or two."""
    reader = _Reader(data)
    if reader.byte() != VERSION:
        raise TermDamaged("This is not in Erlang's external term format.")
    try:
        term = reader.term(DEEPEST)
    except (UnicodeDecodeError, TypeError):
        raise TermDamaged("An atom or a map's key is damaged.") from None
    return term, data[reader.at :]


class _Reader:
    """Walks over bytes, and never behind their end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0

    def take(self, size: int) -> bytes:
        piece = self._data[self.at : self.at + size]
        if len(piece) < size:
            raise TermDamaged("The term ends early.")
        self.at += size
        return piece

    def byte(self) -> int:
        return self.take(1)[0]

    def two(self) -> int:
        return int.from_bytes(self.take(2))

    def four(self) -> int:
        return int.from_bytes(self.take(4))

    def count(self, size: int) -> int:
        """A number of elements, each of which takes a byte at least: no small message asks for much memory."""
        count = int.from_bytes(self.take(size))
        if count > len(self._data) - self.at:
            raise TermDamaged("The term ends early.")
        return count

    def term(self, depth: int) -> Term:
        if depth == 0:
            raise TermDamaged("The term is nested too deeply.")
        tag = self.byte()
        flat = _FLAT.get(tag)
        if flat is not None:
            return flat(self)
        below = depth - 1
        if tag in {_SMALL_TUPLE, _LARGE_TUPLE}:
            arity = self.count(1 if tag == _SMALL_TUPLE else 4)
            return tuple(self.term(below) for _ in range(arity))
        if tag == _LIST:
            elements = [self.term(below) for _ in range(self.count(4))]
            return elements if self.term(below) == [] else Opaque("improper list")
        if tag == _MAP:
            pairs = [(self.term(below), self.term(below)) for _ in range(self.count(4))]
            return dict(pairs)
        return self._opaque(tag, below)

    def _opaque(self, tag: int, depth: int) -> Term:
        match tag:
            case 88:
                node = self.term(depth)
                number, _serial, creation = struct.unpack(">III", self.take(12))
                return Pid(node=str(node), number=number, creation=creation)
            case 89 | 120:  # a port, in the old form and in the new one
                self.term(depth)
                self.take(8 if tag == 89 else 12)
                return Opaque("port")
            case 90:
                size = self.two()
                self.term(depth)
                self.take(4 + 4 * size)
                return Opaque("reference")
            case 112:
                size = self.four()
                self.take(max(size - 4, 0))
                return Opaque("function")
            case 113:
                for _ in range(3):
                    self.term(depth)
                return Opaque("function")
        raise TermDamaged(f"A term of the kind {tag} is not expected.")

    def big(self, size: int) -> int:
        count = self.count(size)
        sign = self.byte()
        number = int.from_bytes(self.take(count), "little")
        return -number if sign else number

    def bits(self) -> Opaque:
        self.take(self.four() + 1)
        return Opaque("bit string")


_FLAT: Final[dict[int, Callable[[_Reader], Term]]] = {
    _SMALL_INTEGER: _Reader.byte,
    _INTEGER: lambda reader: int.from_bytes(reader.take(4), signed=True),
    _SMALL_BIG: lambda reader: reader.big(1),
    _LARGE_BIG: lambda reader: reader.big(4),
    _FLOAT: lambda reader: float(struct.unpack(">d", reader.take(8))[0]),
    _BINARY: lambda reader: reader.take(reader.four()),
    _BITS: _Reader.bits,
    _NIL: lambda reader: [],
    _STRING: lambda reader: list(reader.take(reader.two())),
    _ATOM_UTF8: lambda reader: Atom(reader.take(reader.two()).decode()),
    _SMALL_ATOM_UTF8: lambda reader: Atom(reader.take(reader.byte()).decode()),
    _ATOM_LATIN1: lambda reader: Atom(reader.take(reader.two()).decode("latin-1")),
    _SMALL_ATOM_LATIN1: lambda reader: Atom(reader.take(reader.byte()).decode("latin-1")),
}
