"""Whose data stand once an upgrade of containers was taken back: those of before it, from its backup, or those of now.

Nobody but the operator knows which are worth more, so nothing is taken for granted.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from portal.core.errors import Refused
from updates.errors import NotUndoable
from updates.models import Backup, Upgrade
from updates.plan import Kind


class DataOf(StrEnum):
    """BEFORE: what the backup holds; all that was written since is no longer there. NOW: what is there, as it is."""

    BEFORE = "before"
    NOW = "now"


@dataclass(frozen=True, slots=True)
class WayBack:
    """The backup that an upgrade of containers has made before it changed them. `why_gone` is empty while it can be used."""

    path: str
    taken_at: datetime | None
    why_gone: str


def way_back(upgrade: Upgrade) -> WayBack | None:
    """Where the data of before are; None where a rollback has no choice, because no data were backed up, or other things."""
    backup = upgrade.facts.get("backup") if upgrade.kind == Kind.CONTAINER else None
    if not backup:
        return None
    wanted, by_watchdog = upgrade.plan["backup"], upgrade.executor == Upgrade.Executor.WATCHDOG
    if (
        not wanted["volumes"] and not wanted["dumps"] and not by_watchdog
    ):  # that finds its data itself
        return None
    gone = Backup.objects.filter(watched__instance=upgrade.instance_id, path=backup["path"])
    is_gone = gone.exclude(deleted_at=None, delete_requested_at=None).exists()
    taken_at = backup.get("taken_at")
    return WayBack(
        path=backup["path"],
        taken_at=datetime.fromisoformat(taken_at) if taken_at else None,
        why_gone="The backup of before it is not on the device any more." if is_gone else "",
    )


def data_from(upgrade: Upgrade, data: DataOf | None) -> str:
    """The backup that a rollback of the upgrade is to put back; empty for none.

    Refused while nobody has chosen; NotUndoable when that backup is gone.
    """
    found = way_back(upgrade)
    if found is None:
        if data is DataOf.BEFORE:
            raise NotUndoable("There is no backup of the data of before it.")
        return ""
    if data is None:
        raise Refused(
            "Say which data it is to have: those of before, from the backup, or those of now."
        )
    if data is DataOf.BEFORE and found.why_gone:
        raise NotUndoable(f"{found.why_gone} It can be taken back with the data of now.")
    return found.path if data is DataOf.BEFORE else ""


def chosen_in(rollback: Upgrade) -> DataOf | None:
    """What was chosen for a rollback that was ordered before; None where there was no choice."""
    if rollback.kind != Kind.CONTAINER:
        return None
    return DataOf.BEFORE if rollback.plan.get("data_from") else DataOf.NOW


def refuse_choice(data: DataOf | None) -> None:
    """Nothing, or Refused: only containers have backups to choose from."""
    if data is not None:
        raise Refused("There is no choice of data: what the upgrade kept is put back.")
