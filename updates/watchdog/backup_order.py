"""A backup of the portal that somebody wants now: one file, which the portal writes, the watchdog fills in, the portal takes."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Final

from updates.recipes.container.backup_copy import Written
from updates.watchdog.durable import read_whole, write_whole
from updates.watchdog.folder import Folder

MOST_BYTES: Final = 64 * 1024


@dataclass(slots=True)
class BackupOrder:
    """`backup` is its number in the portal's record, `version` the one that runs. `facts` is a copy of what the
    watchdog remembers of it. `ordered_at` is ISO 8601: a database that was put back gives the same number once more.

    It is over when there is either what was `written`, as `Written.as_json`, or the `error` why nothing was.
    """

    backup: int
    version: str
    ordered_at: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
    written: dict[str, Any] | None = None
    error: str = ""

    @property
    def is_over(self) -> bool:
        return bool(self.written or self.error)

    def write(self, folder: Folder) -> None:
        """The file says so. OSError: it is as it was."""
        write_whole(folder.backup_order, json.dumps(asdict(self)).encode())


def read_backup_order(folder: Folder) -> BackupOrder | None:
    """The order that is there. ValueError with a sentence when it cannot be read."""
    content = read_whole(folder.backup_order, most_bytes=MOST_BYTES)
    return None if content is None else _read(content)


def _read(content: bytes) -> BackupOrder:
    try:
        said = json.loads(content)
        said = {"ordered_at": ""} | said  # a watchdog of before does not know it
        known = {one.name: said[one.name] for one in fields(BackupOrder)}
        order = BackupOrder(**known)
        if order.written is not None:
            Written(**order.written)
        words = (order.version, order.ordered_at, order.error)
        if type(order.backup) is not int or not all(isinstance(word, str) for word in words):
            raise TypeError("its fields are of other kinds")
        dict(order.facts)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ValueError(f"The order of a backup cannot be read: {error}.") from None
    return order
