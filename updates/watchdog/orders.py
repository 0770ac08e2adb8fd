"""How a trigger becomes an upgrade's record."""

from __future__ import annotations

from typing import Any

from devices.drivers.references import parse_reference
from devices.errors import BadReference
from updates.machine import State
from updates.watchdog.record import ARROW, Record, iso_now
from updates.watchdog.trigger import Trigger


def ordered(trigger: Trigger, *, plan: dict[str, Any]) -> Record:
    """The record of a new upgrade, not written yet. Its first event is the order."""
    now = iso_now()
    record = Record(
        upgrade=trigger.upgrade,
        plan=plan,
        order_seq=trigger.sequence,
        requested_by_name=trigger.requested_by,
        reason=trigger.reason,
        from_version=trigger.from_version or _what_runs(plan.get("installed") or {}),
        to_version=plan.get("image") or trigger.version,
        created_at=now,
        state_entered_at=now,
        events=[],
    )
    record.append(
        kind=ARROW,
        event="ordered",
        to_state=State.PENDING.value,
        text=f"Ordered by {trigger.requested_by}: {trigger.reason}",
    )
    return record


def _what_runs(installed: dict[str, str]) -> str:
    """The image that runs, with the version that it says itself instead of a tag that may float."""
    image, version = installed.get("image", ""), installed.get("version", "")
    try:
        return f"{parse_reference(image).familiar_repository}:{version}" if version else image
    except BadReference:  # of what runs by its id
        return image
