"""How long an upgrade may be in a state, and which have been there for longer."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from django.conf import settings
from django.db.models import Q, QuerySet

from updates.machine import ACTIVE
from updates.models import Upgrade
from updates.recipes.hold import HELD

LAST_WORD: Final = "last_word"
"""The fact that holds when a device that carries the upgrade out last said anything of it that took no arrow: seconds."""


def overdue(now: datetime) -> Q:
    """It has been in its state for longer than that may take, and waits for nobody's commit."""
    by_device = Q(executor=Upgrade.Executor.DEVICE)
    others = _past(settings.STATE_LIMIT_SECONDS, now) & ~by_device
    return (others | (_past(settings.DEVICE_LIMIT_SECONDS, now) & by_device)) & is_not_held()


def silent(now: datetime) -> Q:
    """A device has it in its hands, and has said nothing of it for long enough that somebody may want to know."""
    since = now - timedelta(seconds=settings.DEVICE_SILENT_SECONDS)
    by_device = Q(executor=Upgrade.Executor.DEVICE, state__in=ACTIVE)
    return by_device & _counts_from_before(since) & _unheard_since(since) & is_not_held()


def overdue_at_devices(now: datetime) -> QuerySet[Upgrade]:
    """Upgrades in the hands of devices that have said nothing of them for longer than their state may take."""
    late = Q(pk=None)
    for state, seconds in settings.DEVICE_LIMIT_SECONDS.items():
        since = now - timedelta(seconds=seconds)
        late |= Q(state=state) & _counts_from_before(since) & _unheard_since(since)
    return Upgrade.objects.filter(late & is_not_held(), executor=Upgrade.Executor.DEVICE)


def limit_seconds(upgrade: Upgrade) -> int | None:
    """How long the upgrade's state may take; None where nothing is to happen in it."""
    by_device = upgrade.executor == Upgrade.Executor.DEVICE
    limits = settings.DEVICE_LIMIT_SECONDS if by_device else settings.STATE_LIMIT_SECONDS
    return limits.get(upgrade.state)


def counts_from(upgrade: Upgrade) -> datetime:
    """When the time began that its state may take."""
    return upgrade.limit_from or upgrade.state_entered_at


def last_word(upgrade: Upgrade) -> datetime:
    """When the device that carries it out last said anything of it; before its first word in this state, when that began."""
    said = datetime.fromtimestamp(upgrade.facts.get(LAST_WORD, 0), UTC)
    return max(said, counts_from(upgrade))


def limit_ends(upgrade: Upgrade) -> datetime | None:
    """Until when its state may take, if its device says nothing more; None where nothing is to happen in it."""
    seconds = limit_seconds(upgrade)
    by_device = upgrade.executor == Upgrade.Executor.DEVICE
    since = last_word(upgrade) if by_device else counts_from(upgrade)
    return since + timedelta(seconds=seconds) if seconds else None


def is_not_held() -> Q:
    """Nobody has to say first that it is to be committed, or somebody has said that it is not."""
    return Q(**{f"facts__{HELD}__isnull": True}) | Q(cancel_requested_at__isnull=False)


def _past(limits: Mapping[str, int], now: datetime) -> Q:
    late = Q(pk=None)
    for state, seconds in limits.items():
        late |= Q(state=state) & _counts_from_before(now - timedelta(seconds=seconds))
    return late


def _counts_from_before(moment: datetime) -> Q:
    return Q(limit_from__lt=moment) | Q(limit_from=None, state_entered_at__lt=moment)


def _unheard_since(moment: datetime) -> Q:
    fact = f"facts__{LAST_WORD}"
    return Q(**{f"{fact}__isnull": True}) | Q(**{f"{fact}__lt": moment.timestamp()})
