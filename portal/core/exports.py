"""Lists as files, line by line, so that a million rows need no more memory than one."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from django.http import StreamingHttpResponse
from django.utils.text import slugify

FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""A cell that begins with one of these is run by spreadsheets as a formula (OWASP: CSV injection)."""


def csv_lines(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """A header, then a line for each row. What could be a formula is text: an apostrophe stands before it."""
    writer = csv.writer(_Line())
    yield writer.writerow(columns)
    for row in rows:
        yield writer.writerow([safe_cell(row[column]) for column in columns])


def json_lines(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """A JSON object on a line for each row."""
    for row in rows:
        yield json.dumps(row, default=_plain, ensure_ascii=False) + "\n"


def safe_cell(value: Any) -> str:  # noqa: ANN401 - whatever a row holds
    """The value as a CSV cell that no spreadsheet runs."""
    text = _cell(value)
    return f"'{text}" if text.startswith(FORMULA) else text


def read_cell(text: str) -> str:
    """What a cell that `safe_cell` wrote was made of."""
    return text[1:] if text.startswith("'") and text[1:].startswith(FORMULA) else text


def as_file(lines: Iterator[str], *, name: str, form: str) -> StreamingHttpResponse:
    """An answer that the browser saves as `name`.`form`; `form` is csv or jsonl."""
    kind = "text/csv" if form == "csv" else "application/jsonl"
    answer = StreamingHttpResponse(lines, content_type=f"{kind}; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{slugify(name)}.{form}"'
    answer["Cache-Control"] = "no-store"
    return answer


class _Line:
    """A file whose `write` gives back what was written: csv's writer passes that on."""

    def write(self, line: str) -> str:
        return line


def _cell(value: Any) -> str:  # noqa: ANN401
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    plain = _plain(value) if isinstance(value, datetime | UUID) else value
    return plain if isinstance(plain, str) else str(plain)


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no form in an export")
