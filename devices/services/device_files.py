"""A fleet as a CSV file: written for spreadsheets, read back as whatever a spreadsheet makes of it. Secrets are never in one."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from django.db.models import QuerySet

from devices.models import Device
from devices.queries import attributes_as_text
from portal.core.errors import Refused
from portal.core.exports import csv_lines, read_cell
from portal.core.keyset import all_by_name

WRITTEN: Final = (
    "name",
    "device_type",
    "driver",
    "host",
    "port",
    "credential",
    "root",
    "attributes",
)
"""Columns of a file that can be read back."""
TOLD: Final = ("installed", "last_seen", "unreachable_reason")
"""Columns that the portal writes after them, and passes over when it reads them."""
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
    """A row of the file: the line that it begins on, and its cells by column. Cells of missing columns are missing."""

    number: int
    cells: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class DeviceFile:
    """A file that was read: its columns, its rows, and what somebody who looks at it should know."""

    columns: tuple[str, ...]
    lines: list[Line]
    notes: list[str]


def devices_csv(devices: QuerySet[Device]) -> Iterator[str]:
    """The lines of a file that `read_devices` takes back, with what the portal knows besides, in the order of names."""
    rows = devices.select_related("credential").defer(
        "credential__secret", "credential__passphrase"
    )
    return csv_lines((*WRITTEN, *TOLD), (_row(device) for device in all_by_name(rows, name="name")))


def read_devices(content: bytes) -> DeviceFile:
    """The file's rows: UTF-8, UTF-16 or Windows-1252, separated by comma, semicolon or tab.

    Refused, with the line, if it is something else.
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
        columns = _columns(next(reader, []))
        lines = list(_lines(reader, columns))
    except csv.Error as error:
        raise Refused(f"Line {reader.line_num} is no CSV: {error}.") from None
    if passed := [column for column in columns if column in TOLD]:
        notes.append(f"What the portal itself finds out is passed over: {', '.join(passed)}.")
    return DeviceFile(columns, lines, notes)


def _row(device: Device) -> dict[str, object]:
    return {
        "name": device.name,
        "device_type": device.device_type,
        "driver": device.driver,
        "host": device.host,
        "port": device.port,
        "credential": device.credential.name if device.credential else "",
        "root": device.root,
        "attributes": attributes_as_text(device.attributes),
        "installed": device.artifact_name,
        "last_seen": device.last_seen,
        "unreachable_reason": device.unreachable_reason,
    }


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


def _columns(head: list[str]) -> tuple[str, ...]:
    columns = tuple(cell.strip().lower().replace(" ", "_") for cell in head)
    if "name" not in columns:
        raise Refused("The first line names the columns, and one of them is name.")
    if unknown := [column for column in columns if column not in (*WRITTEN, *TOLD)]:
        raise Refused(f"There is no column {unknown[0][:60]!r}. There are: {', '.join(WRITTEN)}.")
    if twice := [column for column in columns if columns.count(column) > 1]:
        raise Refused(f"The column {twice[0]} is there twice.")
    return columns


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
                column: read_cell(cell.strip())
                for column, cell in zip(columns, row, strict=True)
                if column in WRITTEN
            }
            yield Line(number, cells)
        number = reader.line_num + 1  # type: ignore[attr-defined]
