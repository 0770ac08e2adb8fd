"""A fleet as a CSV file: written for spreadsheets, read back as whatever a spreadsheet makes of it. Secrets are never in one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from django.db.models import QuerySet

from devices.attribute_words import attributes_as_text
from devices.models import Device
from devices.services.csv_table import Line, read_table
from portal.core.errors import Refused
from portal.core.exports import csv_lines
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
    table = read_table(content, columns_of=_columns)
    lines = [
        Line(line.number, {name: cell for name, cell in line.cells.items() if name in WRITTEN})
        for line in table.lines
    ]
    columns, notes = table.columns, list(table.notes)
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


def _columns(head: list[str]) -> tuple[str, ...]:
    columns = tuple(cell.strip().lower().replace(" ", "_") for cell in head)
    if "name" not in columns:
        raise Refused("The first line names the columns, and one of them is name.")
    if unknown := [column for column in columns if column not in (*WRITTEN, *TOLD)]:
        raise Refused(f"There is no column {unknown[0][:60]!r}. There are: {', '.join(WRITTEN)}.")
    if twice := [column for column in columns if columns.count(column) > 1]:
        raise Refused(f"The column {twice[0]} is there twice.")
    return columns
