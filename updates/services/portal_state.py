"""What the portal reads of its watchdog: whether it lives, what it is doing, whether requests may be answered meanwhile."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from django.conf import settings

from updates.machine import State
from updates.watchdog.drain import CLOSED
from updates.watchdog.durable import read_whole
from updates.watchdog.folder import Folder
from updates.watchdog.heartbeat import Heartbeat, read_heartbeat
from updates.watchdog.record import Record, read_record

MOST_BYTES: Final = 8192

_Mark = tuple[int, int, int]
_read: dict[Path, tuple[_Mark, Record | None]] = {}
"""Records as they were read last: each request asks, and most files are over for good."""


def folder() -> Folder:
    """Where the portal and its watchdog leave things for each other."""
    return Folder(settings.DATA_DIR)


@dataclass(frozen=True, slots=True)
class WatchdogStatus:
    """`heartbeat` is the last one, None if there never was one; `current` the upgrade that is not over.

    `says` is why none can start, empty where one can; `refused` why the last trigger was not taken.
    """

    is_alive: bool
    heartbeat: Heartbeat | None
    current: Record | None
    says: str
    refused: str


def watchdog_status() -> WatchdogStatus:
    """As it is now, read from files alone."""
    place = folder()
    beat = read_heartbeat(place)
    is_alive = beat is not None and beat.is_alive(now=time.time())
    return WatchdogStatus(
        is_alive=is_alive,
        heartbeat=beat,
        current=current_record(),
        says=_why_not(beat, is_alive=is_alive),
        refused=_refused(place.refused),
    )


def current_record() -> Record | None:
    """The portal's upgrade that is not over, as its file says; None when there is none."""
    open_ones = (record for record in known_records() if not record.is_over)
    return min(open_ones, key=lambda one: one.created_at, default=None)


def known_records() -> list[Record]:
    """All that the watchdog has written down and that can be read."""
    found = []
    for path in folder().journals.glob("*.json"):
        record = _record(path)
        if record is not None:
            found.append(record)
    return sorted(found, key=lambda one: (one.created_at, one.upgrade))


def closed_by() -> Record | None:
    """The upgrade for which the portal takes nothing in: what came in now would be forgotten if it were rolled back."""
    if not settings.AUTO_UPGRADE_ENABLED:
        return None
    current = current_record()
    return current if current is not None and State(current.state) in CLOSED else None


def _record(path: Path) -> Record | None:
    try:
        found = path.stat()
        mark = (found.st_mtime_ns, found.st_ino, found.st_size)
        known = _read.get(path)
        if known is None or known[0] != mark:
            known = _read[path] = (mark, read_record(path))
    except FileNotFoundError:
        _read.pop(path, None)
        return None
    except (OSError, ValueError):
        return None
    return known[1]


def _why_not(beat: Heartbeat | None, *, is_alive: bool) -> str:
    if not settings.AUTO_UPGRADE_ENABLED:
        return (
            "The portal is not set up to upgrade itself: start it with the overlay compose.upgrade.yaml, "
            "which sets AUTO_UPGRADE_ENABLED=true and starts the watchdog."
        )
    if beat is None:
        return (
            "No watchdog has ever run here: start the portal with the overlay compose.upgrade.yaml."
        )
    if not is_alive:
        return (
            f"The watchdog gave its last sign of life at {beat.seen_at:%Y-%m-%d %H:%M:%S} UTC: "
            "see whether its container runs, and what its log says."
        )
    return beat.trouble


def _refused(path: Path) -> str:
    try:
        content = read_whole(path, most_bytes=MOST_BYTES)
        return str(json.loads(content)["says"]) if content else ""
    except (OSError, ValueError, KeyError, TypeError):
        return ""
