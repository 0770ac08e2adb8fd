"""The engine as it is sent to agents: its rooms in the order in which they need each other, and what tells two engines apart."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Final

ORDER: Final = (
    "verdicts",
    "codes",
    "live",
    "members",
    "graft",
    "files",
    "places",
    "entries",
    "operations",
)
ENTRY: Final = ORDER[-1]
HERE: Final = "devices.drivers.python_node.engine"
THERE: Final = "fleetwright_engine"


@cache
def rooms() -> list[tuple[str, str]]:
    """Name and source of each room, as it is called over there."""
    folder = Path(__file__).with_name("engine")
    return [(name, (folder / f"{name}.py").read_text().replace(HERE, THERE)) for name in ORDER]


@cache
def engine() -> str:
    """The digest of all rooms."""
    return hashlib.sha256(json.dumps(rooms()).encode()).hexdigest()
