"""Tables that people bring: whatever a spreadsheet makes of CSV, read within limits."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from portal.core.errors import Refused
from portal.core.exports import read_cell

MOST_BYTES: Final = 10 * 2**20
MOST_ROWS: Final = 20_000
DELIMITERS: Final = (",", ";", "\t")
BYTE_ORDER_MARKS: Final = {
    b"\xef\xbb\xbf": "utf-8-sig",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}
FALLBACK: Final = "cp1252"


@dataclass(frozen=True, slots=True)
class Line:
    """A row: the line of the file that it begins on, and its cells by column. Cells of missing columns are missing."""

    number: int
    cells: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Table:
    """A file that was read: its columns, its rows that are not empty, and what somebody who looks at it should know."""

    columns: tuple[str, ...]
    lines: list[Line]
    notes: list[str]


def read_table(content: bytes, *, columns_of: Callable[[list[str]], tuple[str, ...]]) -> Table:
    """The rows of a file in UTF-8, UTF-16 or Windows-1252, separated by comma, semicolon or tab.

    `columns_of` makes columns of the first line, or refuses it. Refused, with the line, if it is something else.
    """
    if len(content) > MOST_BYTES:
        raise Refused(f"The file is larger than {MOST_BYTES // 2**20} MiB.")
    text, notes = _decoded(content)
    reader = csv.reader(
        io.StringIO(text, newline=""),
        delimiter=_delimiter(text),
        strict=True,
        skipinitialspace=True,
    )
    try:
        columns = columns_of(next(reader, []))
        return Table(columns, list(_lines(reader, columns)), notes)
    except csv.Error as error:
        raise Refused(f"Line {reader.line_num} is no CSV: {error}.") from None


def _decoded(content: bytes) -> tuple[str, list[str]]:
    for mark, encoding in BYTE_ORDER_MARKS.items():
        if content.startswith(mark):
            try:
                return content.decode(encoding), []
            except UnicodeDecodeError:
                raise Refused(f"The file says that it is {encoding}, and is not.") from None
    try:
        return content.decode(), []
    except UnicodeDecodeError:
        pass
    try:
        text = content.decode(FALLBACK)
    except UnicodeDecodeError:
        raise Refused("The file is no text: save it as CSV in UTF-8.") from None
    return text, ["The file is not in UTF-8, so it was read as Windows-1252: look at the umlauts."]


def _delimiter(text: str) -> str:
    head = text.lstrip("\r\n").split("\n", 1)[0]
    return max(DELIMITERS, key=head.count)


def _lines(reader: Iterator[list[str]], columns: tuple[str, ...]) -> Iterator[Line]:
    count, number = 0, 2
    for row in reader:
        if any(cell.strip() for cell in row):
            count += 1
            if count > MOST_ROWS:
                raise Refused(f"The file has more than {MOST_ROWS:,} rows: import it in parts.")
            if len(row) != len(columns):
                raise Refused(
                    f"Line {number} has {len(row)} cells, and the first line has {len(columns)}."
                )
            cells = {
                column: read_cell(cell.strip()) for column, cell in zip(columns, row, strict=True)
            }
            yield Line(number, cells)
        number = reader.line_num + 1  # type: ignore[attr-defined]
