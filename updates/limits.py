"""How long an upgrade may be in a state, and which have been there for longer."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Q, QuerySet

from updates.machine import ACTIVE
from updates.models import Upgrade
from updates.recipes.hold import HELD


def overdue(now: datetime) -> Q:
    """It has been in its state for longer than that may take, and waits for nobody's commit."""
    by_device = Q(executor=Upgrade.Executor.DEVICE)
    others = _past(settings.STATE_LIMIT_SECONDS, now) & ~by_device
    return (others | (_past(settings.DEVICE_LIMIT_SECONDS, now) & by_device)) & is_not_held()


def silent(now: datetime) -> Q:
    """A device has it in its hands, and has said nothing of it for long enough that somebody may want to know."""
    since = now - timedelta(seconds=settings.DEVICE_SILENT_SECONDS)
    by_device = Q(executor=Upgrade.Executor.DEVICE, state__in=ACTIVE, state_entered_at__lt=since)
    return by_device & is_not_held()


def overdue_at_devices(now: datetime) -> QuerySet[Upgrade]:
    """Upgrades in the hands of devices that have said nothing of them for longer than their state may take."""
    rows = Upgrade.objects.filter(executor=Upgrade.Executor.DEVICE)
    return rows.filter(_past(settings.DEVICE_LIMIT_SECONDS, now) & is_not_held())


def limit_seconds(upgrade: Upgrade) -> int | None:
    """How long the upgrade's state may take; None where nothing is to happen in it."""
    by_device = upgrade.executor == Upgrade.Executor.DEVICE
    limits = settings.DEVICE_LIMIT_SECONDS if by_device else settings.STATE_LIMIT_SECONDS
    return limits.get(upgrade.state)


def is_not_held() -> Q:
    """Nobody has to say first that it is to be committed."""
    return Q(**{f"facts__{HELD}__isnull": True})


def _past(limits: Mapping[str, int], now: datetime) -> Q:
    late = Q(pk=None)
    for state, seconds in limits.items():
        late |= Q(state=state, state_entered_at__lt=now - timedelta(seconds=seconds))
    return late
