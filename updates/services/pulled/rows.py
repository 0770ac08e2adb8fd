"""The upgrades that a device knows of: those that it was offered."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet

from devices.models import Device
from portal.core import clock
from updates.errors import NotOffered
from updates.limits import LAST_WORD, last_word
from updates.machine import State
from updates.models import Upgrade

SAID: Final = "said"
"""The fact that holds what the device has said so far and the history has a note of, so that it has it once."""
MOST_SAID: Final = 50
"""So much of what devices may say in words of their own. What Mender's clients know to say is not much, and always kept."""
LONGEST_SAID: Final = 200
ASKED_FOR: Final = (
    "state", "outcome", "progress", "repeats", "error", "error_code", "facts", "last_seq", "cancel_requested_at",
    "state_entered_at", "limit_from",
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


def new_facts(facts: Mapping[str, Any], words: str) -> dict[str, Any] | None:
    """The facts with `words` as said; None when they were said before."""
    said = facts.get(SAID, [])
    return None if words in said else {**facts, SAID: [*said, words]}


def has_said_too_much(row: Upgrade) -> bool:
    """The history takes no more of the device's own words."""
    return len(row.facts.get(SAID, [])) >= MOST_SAID


def heard_now(row: Upgrade) -> dict[str, float]:
    """The fact that the device has said something of it just now; none where the one before is hardly any older."""
    now = clock.now()
    is_due = now - last_word(row) >= timedelta(seconds=settings.LAST_SEEN_SECONDS)
    return {LAST_WORD: now.timestamp()} if is_due else {}


def tidy(text: str) -> str:
    """A device's words on one line, as long as there is room for."""
    return " ".join(text.replace("\0", "\ufffd").split())[:LONGEST_SAID]
