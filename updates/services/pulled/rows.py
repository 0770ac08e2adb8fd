"""The upgrades that a device knows of: those that it was offered."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from django.db.models import QuerySet

from devices.models import Device
from updates.errors import NotOffered
from updates.machine import State
from updates.models import Upgrade

SAID: Final = "said"
"""The fact that holds what the device has said so far and the history has a note of, so that it has it once."""
MOST_SAID: Final = 50
LONGEST_SAID: Final = 200
ASKED_FOR: Final = (
    "state", "outcome", "progress", "repeats", "error", "error_code", "facts", "last_seq", "cancel_requested_at",
)  # fmt: skip
"""What a report may need to know of the row: fleets report all day, and the row is wide."""


def offered(device: Device) -> QuerySet[Upgrade]:
    """Upgrades that the device carries out itself, and knows of."""
    rows = Upgrade.objects.filter(device=device, executor=Upgrade.Executor.DEVICE)
    return rows.exclude(state=State.PENDING)


def locked_offered(device: Device, upgrade_id: UUID) -> Upgrade:
    """That one, locked until the commit. NotOffered when the device knows of none with this id."""
    rows = offered(device).select_for_update(of=("self",)).only(*ASKED_FOR)
    try:
        row = rows.get(pk=upgrade_id)
    except Upgrade.DoesNotExist:
        raise NotOffered("This device was offered no deployment with this id.") from None
    row.device = device
    return row


def new_facts(row: Upgrade, words: str) -> dict[str, Any] | None:
    """The row's facts with `words` as said; None when they were said before, or when the device has said too much already."""
    said = row.facts.get(SAID, [])
    if words in said or len(said) >= MOST_SAID:
        return None
    return {**row.facts, SAID: [*said, words]}


def tidy(text: str) -> str:
    """A device's words on one line, as long as there is room for."""
    return " ".join(text.replace("\0", "\ufffd").split())[:LONGEST_SAID]
