"""Output on its way into the history: cut into pieces, made valid text, known secrets blotted out. Pure."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

MASK: Final = "••••••"
SHORTEST_SECRET: Final = 4
LAST_BYTES: Final = 16 * 1024
"""How much of the end is kept of a call that says too much."""


_UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")


def storable(text: str) -> str:
    """`text` with U+FFFD for what no database keeps: NUL, and halves of surrogate pairs, which JSON can hold."""
    return _UNSTORABLE.sub("\ufffd", text)


def blot_out(text: str, secrets: Iterable[str]) -> str:
    """`text` without any of `secrets`, and as a database keeps it."""
    pattern = "|".join(re.escape(secret) for secret in _worth_hiding(secrets))
    return storable(re.sub(pattern, MASK, text) if pattern else text)


def _worth_hiding(secrets: Iterable[str]) -> list[str]:
    """The longest first: where two of them begin at one place, the longer one is the one to hide."""
    return sorted({word for word in secrets if len(word) >= SHORTEST_SECRET}, key=len, reverse=True)


class OutputBuffer:
    """Collects the bytes of one call and gives them away as texts of at most `chunk_bytes`, or after `chunk_seconds`.

    Of a call that says more than `limit_bytes`, the first so many and the last `LAST_BYTES` come out, and in between how much
    was left out. A secret never comes out, not even cut in two by a chunk's border: as long as the end of what is held could
    be the beginning of one, that end is held back. Bytes that are not UTF-8 become U+FFFD; NUL too (PostgreSQL cannot store it).
    """

    def __init__(
        self,
        *,
        secrets: Iterable[str],
        chunk_bytes: int,
        chunk_seconds: float,
        clock: Callable[[], float],
        limit_bytes: int,
        start: int = 0,
    ) -> None:
        self._secrets = [secret.encode() for secret in _worth_hiding(secrets)]
        self._pattern = re.compile(b"|".join(map(re.escape, self._secrets)) or b"(?!)")
        self._chunk_bytes = chunk_bytes
        self._chunk_seconds = chunk_seconds
        self._clock = clock
        self._room = max(0, limit_bytes - start)
        self._left_out = 0
        self._last = b""
        self._held = b""
        self._since = 0.0
        self.end = start
        """How many bytes of the call have been given away: from here another worker has to go on."""

    def feed(self, data: bytes) -> list[str]:
        """Takes `data`; the pieces that are due now."""
        if not self._held:
            self._since = self._clock()
        self._held += data
        return self.due()

    def due(self) -> list[str]:
        """The pieces that are due by size or by age."""
        is_old = bool(self._held) and self._clock() - self._since >= self._chunk_seconds
        if len(self._held) < self._chunk_bytes and not is_old:
            return []
        return self._take(is_end=False)

    def drain(self) -> list[str]:
        """All that is left: the call has ended."""
        texts = self._take(is_end=True)
        if self._left_out:
            texts.append(f"\n… {self._left_out} bytes left out …\n")
        last = _whole_characters(self._last)
        texts += [piece.decode(errors="replace") for piece in _pieces(last, self._chunk_bytes)]
        self._left_out, self._last = 0, b""
        return texts

    def _take(self, *, is_end: bool) -> list[str]:
        given, begin = b"", 0
        while True:
            cut = len(self._held) if is_end else self._begun_secret(begin)
            found = self._pattern.search(self._held, begin)
            if found is None or found.start() >= cut:
                break
            given += self._held[begin : found.start()] + MASK.encode()
            begin = found.end()
        if not is_end:
            cut = min(cut, max(begin, len(self._held) - _begun_character(self._held)))
        given += self._held[begin:cut]
        self._held = self._held[cut:]
        self._since = self._clock()
        self.end += cut
        fits = self._kept(given)
        return [piece.decode(errors="replace") for piece in _pieces(fits, self._chunk_bytes)]

    def _kept(self, given: bytes) -> bytes:
        """As much of `given` as there is room for; of the rest its end is remembered, and how much it was."""
        cut = min(len(given), self._room)
        if cut < len(given):
            cut -= _begun_character(given[:cut])
        self._room -= cut
        if cut < len(given):
            self._room = 0
        rest = self._last + given[cut:]
        self._last = rest[-LAST_BYTES:]
        self._left_out += len(rest) - len(self._last)
        return given[:cut]

    def _begun_secret(self, begin: int) -> int:
        """Where, from `begin` on, that starts which could become a secret with what comes next; else the end."""
        longest = 0
        for secret in self._secrets:
            for length in range(min(len(secret) - 1, len(self._held) - begin), longest, -1):
                if self._held.endswith(secret[:length]):
                    longest = length
                    break
        return len(self._held) - longest


@dataclass(frozen=True, slots=True)
class OutputLimits:
    """`chunk_bytes` and `chunk_seconds` of a piece, `limit_bytes` of what is kept of one call."""

    chunk_bytes: int
    chunk_seconds: float
    limit_bytes: int


class Said:
    """What the calls of one visit say, on its way to `keep(call, text, end)`; `stored` is how much of a call was kept before.

    `secrets` are asked for when a call begins to say something.
    """

    def __init__(
        self,
        *,
        secrets: Callable[[], Iterable[str]],
        limits: OutputLimits,
        stored: Callable[[str], int],
        keep: Callable[[str, list[str], int], None],
    ) -> None:
        self._secrets = secrets
        self._limits = limits
        self._stored = stored
        self._keep = keep
        self._buffers: dict[str, OutputBuffer] = {}

    def feed(self, call: str, data: bytes) -> None:
        """`data` is kept, at the latest with `flush_all`."""
        buffer = self._buffer(call)
        self._give(call, buffer.feed(data))

    def end(self, call: str) -> int:
        """How many bytes of the call were kept, over all visits."""
        return self._buffer(call).end

    def flush_due(self) -> None:
        """What is old enough was kept."""
        for call, buffer in self._buffers.items():
            self._give(call, buffer.due())

    def flush_all(self) -> None:
        """All was kept: the visit is over."""
        for call, buffer in self._buffers.items():
            self._give(call, buffer.drain())
        self._buffers.clear()

    def _give(self, call: str, texts: list[str]) -> None:
        if texts:
            self._keep(call, texts, self._buffers[call].end)

    def _buffer(self, call: str) -> OutputBuffer:
        if call not in self._buffers:
            self._buffers[call] = OutputBuffer(
                secrets=self._secrets(),
                chunk_bytes=self._limits.chunk_bytes,
                chunk_seconds=self._limits.chunk_seconds,
                clock=time.monotonic,
                limit_bytes=self._limits.limit_bytes,
                start=self._stored(call),
            )
        return self._buffers[call]


def _begun_character(data: bytes) -> int:
    """How many bytes at the end are the beginning of a UTF-8 character whose rest has not come yet."""
    for length in range(1, min(3, len(data)) + 1):
        byte = data[-length]
        if byte >= 0xC0:
            needed = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return length if length < needed else 0
        if byte < 0x80:
            return 0
    return 0


def _whole_characters(data: bytes) -> bytes:
    """Without the end of a character that was cut off before it."""
    for place, byte in enumerate(data[:3]):
        if byte & 0xC0 != 0x80:
            return data[place:]
    return data[3:]


def _pieces(data: bytes, limit: int) -> Iterator[bytes]:
    data = data.replace(b"\0", "\ufffd".encode())
    while len(data) > limit:
        cut = limit - _begun_character(data[:limit])
        yield data[:cut]
        data = data[cut:]
    if data:
        yield data
