"""Answers for people and for programs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Protocol

from django.utils import timezone
from rest_framework.renderers import JSONRenderer

GAP = "  "


class Stream(Protocol):
    """What Django gives a command to write to."""

    def write(self, msg: str, /) -> Any: ...  # noqa: ANN401

    def flush(self) -> None: ...


class Output:
    """`as_json`: one JSON document instead of words, or JSON lines where an answer comes bit by bit."""

    def __init__(self, stream: Stream, *, as_json: bool) -> None:
        self.as_json = as_json
        self._stream = stream

    def document(self, data: Any) -> None:  # noqa: ANN401 - JSON
        """The whole answer, for a program."""
        self._say(JSONRenderer().render(data, "application/json; indent=2").decode())

    def line(self, data: Any) -> None:  # noqa: ANN401 - JSON
        """A bit of the answer, for a program."""
        self._say(JSONRenderer().render(data).decode())

    def text(self, text: str) -> None:
        """A bit of the answer, for a person."""
        self._say(text)

    def raw(self, line: str) -> None:
        """A line of a file, with the end that it has."""
        self._stream.write(line.removesuffix("\r\n").removesuffix("\n"))

    def aside(self, text: str) -> None:
        """Something about the answer; a program is not told."""
        if not self.as_json:
            self._say(text)

    def table(self, head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Columns as wide as what is in them."""
        lines = [list(head), *([_cell(value) for value in row] for row in rows)]
        widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
        for line in lines:
            padded = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
            self._say(GAP.join(padded).rstrip())

    def facts(self, facts: Iterable[tuple[str, object]]) -> None:
        """One fact a line; those that say nothing are left out."""
        said = [(name, text) for name, value in facts if (text := _cell(value))]
        width = max(len(name) for name, _ in said)
        for name, text in said:
            first, *more = text.splitlines()
            self._say(f"{name.ljust(width)}{GAP}{first}")
            for line in more:
                self._say(f"{' ' * width}{GAP}{line}")

    def _say(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return f"{timezone.localtime(value):%Y-%m-%d %H:%M:%S}"
    if isinstance(value, list | tuple):
        return ", ".join(_cell(item) for item in value)
    return str(value)
