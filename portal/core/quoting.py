"""How text from a file that nobody has checked yet is shown in a sentence."""

from __future__ import annotations

_SHOWN_CHARACTERS = 80


def quoted(text: str | bytes) -> str:
    """The text in quotes, in printable ASCII only, cut to a length that a log line or a page can bear."""
    if isinstance(text, bytes):
        text = text.decode("ascii", errors="backslashreplace")
    shown = ascii(text[:_SHOWN_CHARACTERS])
    return shown if len(text) <= _SHOWN_CHARACTERS else f"{shown}..."
