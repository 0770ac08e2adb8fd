"""What an upgrade of the portal would find, as its watchdog sees it from time to time: the portal has no engine to ask."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from updates.recipes.finding import Finding
from updates.watchdog.durable import read_whole, write_whole
from updates.watchdog.folder import Folder

MOST_BYTES: Final = 64 * 1024
EVERY_SECONDS: Final = 600.0
ABOUT_A_VERSION: Final = ("image",)
"""What can be said of a certain version alone is asked when that is known."""


@dataclass(frozen=True, slots=True)
class Seen:
    """`findings` of what was there `at` that time."""

    at: datetime
    findings: list[Finding]


def write_preflight(folder: Folder, findings: Iterable[Finding]) -> None:
    """The portal can read them."""
    rows = [[one.what, one.ok, one.says] for one in findings if one.what not in ABOUT_A_VERSION]
    said = {"at": time.time(), "findings": rows}
    write_whole(folder.preflight, json.dumps(said).encode())


def read_preflight(folder: Folder) -> Seen | None:
    """What the watchdog saw last; None when it has said nothing that can be read."""
    try:
        content = read_whole(folder.preflight, most_bytes=MOST_BYTES)
        said = json.loads(content) if content else {"findings": []}
        rows = [
            Finding(str(what), ok=ok is True, says=str(says)) for what, ok, says in said["findings"]
        ]
        return Seen(datetime.fromtimestamp(said["at"], UTC), rows) if rows else None
    except (OSError, ValueError, KeyError, TypeError, OverflowError):
        return None
