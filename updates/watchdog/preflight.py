"""What an upgrade of the portal would find, as its watchdog sees it from time to time: the portal has no engine to ask."""

from __future__ import annotations

import json
import re
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
_VERSION: Final = re.compile(r"(v?[0-9]+\.[0-9]+\.)([0-9]+)(.*)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Seen:
    """`findings` of what was there `at` that time."""

    at: datetime
    findings: list[Finding]


def another_version(version: str) -> str:
    """A version that a tag which is pinned to `version` is not, and one that moves may come to be."""
    found = _VERSION.fullmatch(version)
    return f"{found[1]}{int(found[2]) + 1}{found[3]}" if found else "latest"


def write_preflight(folder: Folder, findings: Iterable[Finding]) -> None:
    """The portal can read them."""
    said = {"at": time.time(), "findings": [one.as_json() for one in findings]}
    write_whole(folder.preflight, json.dumps(said).encode())


def read_preflight(folder: Folder) -> Seen | None:
    """What the watchdog saw last; None when it has said nothing that can be read."""
    try:
        content = read_whole(folder.preflight, most_bytes=MOST_BYTES)
        said = json.loads(content) if content else {"findings": []}
        rows = [
            Finding(
                str(one["what"]),
                ok=one["ok"] is True,
                says=str(one["says"]),
                warns=one.get("warns") is True,
            )
            for one in said["findings"]
        ]
        return Seen(datetime.fromtimestamp(said["at"], UTC), rows) if rows else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError):
        return None
