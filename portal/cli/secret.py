"""Secrets on their way in: out of a file or standard input, never an argument, which everybody on the machine could read."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from django.core.management.base import CommandError

STDIN: Final = "-"
LARGEST: Final = 20_000
HELP: Final = "a file, or - for standard input"


def text_of(source: str) -> str:
    """What the file holds, without the end of its last line. CommandError when it cannot be read or is no such text."""
    try:
        text = sys.stdin.read(LARGEST + 1) if source == STDIN else _read(Path(source))
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise CommandError(f"{source} cannot be read: {why}.") from None
    if len(text) > LARGEST:
        raise CommandError(f"{source} is longer than {LARGEST} characters.")
    return text.removesuffix("\n").removesuffix("\r")


def _read(path: Path) -> str:
    with path.open(encoding="utf-8", newline="") as file:
        return file.read(LARGEST + 1)
