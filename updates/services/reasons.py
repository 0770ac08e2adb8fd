"""Why somebody wants what they order."""

from __future__ import annotations

from portal.core.errors import Refused


def given_reason(reason: str) -> str:
    """The reason, trimmed. Refused when there is none."""
    if not reason.strip():
        raise Refused("Say why: the reason is kept in the history.")
    return reason.strip()
