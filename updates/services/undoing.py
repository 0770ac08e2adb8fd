"""What every kind of change to an instance asks before one of its upgrades is taken back."""

from __future__ import annotations

from updates.errors import NotUndoable
from updates.machine import Outcome
from updates.models import Upgrade
from updates.recipes.ways_back import KEPT


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
        .select_related("device", "instance")
        .order_by("-started_at")
    )
    # Below all that is on top of it, too: a rollback of that leads to what is broken.
    if broken := newer.filter(outcome=Outcome.BROKEN).first():
        raise NotUndoable(
            f"{broken} came after it, and is broken: order the version that is to be there instead."
        )
    if on_top := newer.first():
        raise NotUndoable(f"{on_top} stands on top of it: roll that one back first.")
    if not upgrade.facts.get(KEPT):
        raise NotUndoable("What it kept of the version before is not on the device any more.")
