"""Whose turn it is on a target."""

from __future__ import annotations

from updates.models import Upgrade
from updates.turns import ahead


def ahead_of(upgrade: Upgrade) -> Upgrade | None:
    """What has to end before `upgrade` may start: see `updates.turns`."""
    mine = Upgrade.objects.filter(pk=upgrade.pk).annotate(ahead=ahead())
    return (
        Upgrade.objects.filter(pk__in=mine.values("ahead"))
        .select_related("device", "instance")
        .first()
    )
