"""Many keys that are let in before their devices ask, from one file."""

from __future__ import annotations

from typing import Final

from django.db import transaction

from devices.auth_request import DeviceKey, IdData, read_device_key, read_id_data_of
from devices.errors import Unreadable
from devices.models import AuthSet
from devices.services.csv_table import Line, read_table
from devices.services.enrolment import DECIDE, preauthorise
from portal.core.actors import Actor
from portal.core.errors import Conflict, Refused

KEY: Final = "public_key"
HEAD: Final = "-----BEGIN PUBLIC KEY-----"
FOOT: Final = "-----END PUBLIC KEY-----"


def preauthorise_many(*, content: bytes, actor: Actor, reason: str = "") -> list[AuthSet]:
    """Every key of the file is let in when its device asks. Refused as a whole, with the line, when one row is wrong.

    The column `public_key` has the key in PEM, or only its letters on one line; every other column is a part of the identity, by
    its name. An empty cell is no part of it.
    """
    actor.require(DECIDE)
    table = read_table(content, columns_of=_columns)
    if not table.lines:
        raise Refused("The file has no rows.")
    made = []
    with transaction.atomic():
        for line in table.lines:
            try:
                id_data, key = _read(line)
                made.append(preauthorise(id_data=id_data, key=key, actor=actor, reason=reason))
            except (Unreadable, Conflict) as error:
                raise Refused(f"Line {line.number}: {error} Nothing was preauthorised.") from error
    return made


def _columns(head: list[str]) -> tuple[str, ...]:
    """As they are written, since devices tell their identity with these very words."""
    columns = tuple(cell.strip() for cell in head)
    if KEY not in columns:
        raise Refused(f"The first line names the columns, and one of them is {KEY}.")
    if len(columns) < 2 or not all(columns):
        raise Refused("Each column besides the key is a part of the identity, and has its name.")
    if twice := [column for column in columns if columns.count(column) > 1]:
        raise Refused(f"The column {twice[0][:60]!r} is there twice.")
    return columns


def _read(line: Line) -> tuple[IdData, DeviceKey]:
    told = {name: cell for name, cell in line.cells.items() if name != KEY and cell}
    text = line.cells[KEY]
    if not text.startswith("-----"):
        text = f"{HEAD}\n{text}\n{FOOT}\n"
    return read_id_data_of(told), read_device_key(text)
