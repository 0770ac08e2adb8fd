"""What an engine says while it pulls: progress, and failures that come in the middle of an answer that began well."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, Final

from devices.drivers.engine import OnProgress
from devices.drivers.engine_client import FULL
from devices.errors import DeviceError, EngineUnreachable, OutOfSpace, PullFailed

_LINE_BYTES: Final = 1 << 20
_LAYERS: Final = 10_000
_WORDS: Final = 2000
_DOWNLOAD_PART: Final = 0.7
# Of a layer, what each of the engine's words for it means as a part of the way.
_PARTS: Final = {
    "Verifying Checksum": _DOWNLOAD_PART,
    "Download complete": _DOWNLOAD_PART,
    "Pull complete": 1.0,
    "Already exists": 1.0,
}
# With `current` and `total`: where that stretch begins, and how long it is.
_STRETCHES: Final = {
    "Downloading": (0.0, _DOWNLOAD_PART),
    "Extracting": (_DOWNLOAD_PART, 1 - _DOWNLOAD_PART),
}


def follow_pull(pieces: Iterable[bytes], *, reference: str, on_progress: OnProgress) -> None:
    """The pull has ended well. `PullFailed` or `OutOfSpace` with the words of whoever refused it."""
    layers: dict[str, float] = {}
    told = 0.0
    for line in _lines(pieces):
        if line.get("error") or line.get("errorDetail"):
            detail = line.get("errorDetail")
            said = detail.get("message") if isinstance(detail, dict) else None
            raise failed_pull(reference, str(said or line.get("error")))
        _note(line, layers)
        part = sum(layers.values()) / len(layers) if layers else 0.0
        if part > told:
            told = part
            on_progress(told)
    if told < 1:
        on_progress(1.0)


def failed_pull(reference: str, words: str) -> DeviceError:
    """The error for a pull of which the engine says this."""
    said = " ".join(words.split())[:_WORDS].rstrip(".") or "the engine does not say why"
    if FULL in said:
        return OutOfSpace(f"The device has no room for {reference}: {said}.")
    return PullFailed(f"{reference} cannot be pulled: {said}.")


def _note(line: dict[str, Any], layers: dict[str, float]) -> None:
    status, layer = str(line.get("status", "")), str(line.get("id", ""))
    # A pull by tag begins with a line about the tag, whose "id" is that tag.
    if not layer or status.startswith("Pulling from") or len(layers) >= _LAYERS:
        return
    part = _PARTS.get(status, 0.0)
    if status in _STRETCHES:
        begin, length = _STRETCHES[status]
        part = begin + length * _share(line.get("progressDetail"))
    layers[layer] = max(layers.get(layer, 0.0), part)


def _share(detail: object) -> float:
    if not isinstance(detail, dict):
        return 0.0
    current, total = detail.get("current"), detail.get("total")
    if not isinstance(current, int | float) or not isinstance(total, int | float) or total <= 0:
        return 0.0
    return min(max(current / total, 0.0), 1.0)


def _lines(pieces: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    rest = b""
    for piece in pieces:
        rest += piece
        *whole, rest = rest.split(b"\n")
        if len(rest) > _LINE_BYTES:
            raise EngineUnreachable("The engine's answer to a pull has a line without end.")
        yield from (_parsed(line) for line in whole if line.strip())
    if rest.strip():
        yield _parsed(rest)


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(line)
    except (ValueError, RecursionError):
        parsed = None
    if not isinstance(parsed, dict):
        raise EngineUnreachable("The engine's answer to a pull is not one.")
    return parsed
