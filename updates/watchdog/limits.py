"""How long things may take, in seconds."""

from __future__ import annotations

from typing import Final

STATE_LIMIT_SECONDS: Final[dict[str, float]] = {
    "checking": 300.0,
    "backing_up": 3600.0,
    "downloading": 3600.0,
    "installing": 3600.0,
    "restarting": 600.0,
    "verifying": 3600.0,
    "committing": 300.0,
    "committed": 300.0,
    "rolling_back": 3600.0,
    "rollback_restarting": 600.0,
    "rollback_verifying": 3600.0,
    "failing": 300.0,
    "cleaning": 900.0,
}
"""Per state. The health gate has a limit of its own, in the plan."""

KILL_AFTER_SECONDS: Final = 10.0
OVERTIME_SECONDS: Final = 120.0
"""So long after its limit a step counts as hung."""
DRAIN_SECONDS: Final = 60.0
"""How long it is waited for the portal to let go of what it has in hand."""
