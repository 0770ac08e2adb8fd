"""Whose turn it is on a target."""

from __future__ import annotations

from updates.machine import ACTIVE, State
from updates.models import Upgrade


def ahead_of(upgrade: Upgrade) -> Upgrade | None:
    """What has to end before `upgrade` may start on its target: the active one, else the oldest that waited before it."""
    others = Upgrade.objects.filter(device=upgrade.device_id).exclude(pk=upgrade.pk)
    active = others.filter(state__in=ACTIVE).select_related("device", "instance").first()
    if active is not None:
        return active
    return (
        others.filter(state=State.PENDING, created_at__lt=upgrade.created_at)
        .select_related("device", "instance")
        .order_by("created_at")
        .first()
    )
