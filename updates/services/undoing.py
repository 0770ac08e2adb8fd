"""What every kind of change to an instance asks before one of its upgrades is taken back."""

from __future__ import annotations

from updates.errors import NotUndoable
from updates.machine import Outcome
from updates.models import Upgrade


def refuse_buried(upgrade: Upgrade) -> None:
    """Nothing, or NotUndoable when something newer of its kind stands on top of it, or nothing is kept of what was before."""
    newer = (
        Upgrade.objects.filter(
            kind=upgrade.kind,
            instance=upgrade.instance,
            started_at__gt=upgrade.started_at,
            undoes=None,
            unchanged=False,
            outcome__in=[Outcome.SUCCEEDED, Outcome.BROKEN],
        )
        .exclude(undone_by__outcome=Outcome.SUCCEEDED)
        .order_by("-started_at")
        .first()
    )
    if newer is not None:
        raise NotUndoable(f"{newer} stands on top of it: roll that one back first.")
    if not upgrade.facts.get("kept"):
        raise NotUndoable("What it kept of the version before is not on the device any more.")
