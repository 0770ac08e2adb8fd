"""How far an order to many is: the bar of its counts, and the upgrades that one of them counts."""

from __future__ import annotations

from typing import Any

from django.db.models import Q

from updates.machine import ACTIVE, Outcome, State
from updates.queries import Counts


def segments(found: Counts) -> list[dict[str, Any]]:
    """One part of the bar for each word that counts anything, with where it begins."""
    words = {"waiting": found.waiting, "running": found.running, **found.outcomes}
    parts, start = [], 0
    for word, count in words.items():
        parts.append({"word": word, "count": count, "start": start})
        start += count
    return parts


def shown_of(word: str) -> Q:
    """The upgrades that the part of this word counts; all of them for any other word."""
    wanted = {
        "waiting": Q(state=State.PENDING),
        "running": Q(state__in=ACTIVE),
        **{outcome.value: Q(state=State.FINISHED, outcome=outcome) for outcome in Outcome},
    }
    return wanted.get(word, Q())
