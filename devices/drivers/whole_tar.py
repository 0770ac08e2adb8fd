"""Tar streams that are known to be whole: an engine that fails in the middle of one closes it as if it had ended."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from devices.errors import BrokenTar

_BLOCK = 512
_EXTENDED_BYTES = 1 << 20
_HEADER_ALONE = (
    b"123456"  # links, devices, directories, pipes: whatever size they claim, nothing follows
)


def whole_tar(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The same pieces. `BrokenTar` at their end, unless a tar archive has ended there with its two empty blocks."""
    walk = _Walk()
    for piece in chunks:
        walk.feed(piece)
        yield piece
    if not walk.has_ended:
        raise BrokenTar("The tar stream ended before its end mark: something of it is missing.")


class _Walk:
    """Follows an archive from header to header."""

    def __init__(self) -> None:
        self._header = bytearray()
        self._left = 0  # bytes of the current entry that are still to come, padding included
        self._extended = bytearray()  # a PAX header, which may say the next entry's true size
        self._extended_bytes = 0
        self._next_size: int | None = None
        self._empty_blocks = 0

    @property
    def has_ended(self) -> bool:
        return self._empty_blocks >= 2 and not self._header

    def feed(self, piece: bytes) -> None:
        """All of it is an archive's, or `BrokenTar`."""
        at = 0
        while at < len(piece):
            if self._left:
                taken = min(self._left, len(piece) - at)
                self._take(piece[at : at + taken] if self._extended_bytes else b"", taken)
            else:
                taken = min(_BLOCK - len(self._header), len(piece) - at)
                self._header += piece[at : at + taken]
                if len(self._header) == _BLOCK:
                    self._read_header(bytes(self._header))
                    self._header.clear()
            at += taken

    def _take(self, data: bytes, taken: int) -> None:
        self._left -= taken
        self._extended += data
        if not self._left and self._extended_bytes:
            self._next_size = _size_of(bytes(self._extended[: self._extended_bytes]))
            self._extended.clear()
            self._extended_bytes = 0

    def _read_header(self, header: bytes) -> None:
        if not any(header):
            self._empty_blocks += 1
            return
        if self._empty_blocks or not _is_header(header):
            raise BrokenTar("What should be a tar stream holds something else.")
        kind = header[156:157]
        if kind == b"x":
            self._extended_bytes = _number(header[124:136])
            if self._extended_bytes > _EXTENDED_BYTES:
                raise BrokenTar("An extended header of the tar stream is larger than any can be.")
            self._left = _padded(self._extended_bytes)
            return
        size = _number(header[124:136])
        if self._next_size is not None and kind not in (b"L", b"K", b"g"):
            size, self._next_size = self._next_size, None
        self._left = 0 if kind in _HEADER_ALONE else _padded(size)


def _is_header(header: bytes) -> bool:
    blank = header[:148] + b" " * 8 + header[156:]
    return _number(header[148:156]) == sum(blank)


def _padded(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK


def _number(field: bytes) -> int:
    """Octal digits, or, from 8 GiB on, base 256."""
    if field[0] & 0x80:
        return int.from_bytes(bytes([field[0] & 0x7F]) + field[1:], "big")
    digits = field.strip(b" \0")
    if not all(48 <= digit <= 55 for digit in digits):
        raise BrokenTar("What should be a tar stream holds something else.")
    return int(digits or b"0", 8)


def _size_of(records: bytes) -> int | None:
    """The size that a PAX header states: records of `LENGTH KEY=VALUE` and a line's end, the length that of the whole record."""
    found = None
    while records:
        length, _, _ = records.partition(b" ")
        if not length.isdigit() or not 0 < int(length[:8]) <= len(records):
            raise BrokenTar("An extended header of the tar stream cannot be read.")
        record, records = records[: int(length)], records[int(length) :]
        key, _, value = record.partition(b" ")[2].rstrip(b"\n").partition(b"=")
        if key == b"size":
            if not value.isdigit() or len(value) > 18:
                raise BrokenTar("A size in the tar stream is no number.")
            found = int(value)
    return found
