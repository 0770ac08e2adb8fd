"""Keeping what is on record of an instance true after its upgrades: its version, and its ways back."""

from __future__ import annotations

from typing import Final

from updates.models import Instance, Upgrade
from updates.plan import INCONSISTENT
from updates.recipes.ways_back import FORGOTTEN, KEPT

LONGEST: Final = Instance._meta.get_field("version").max_length or 0


def note_version(instance: Instance, version: str) -> None:
    """That version is on record, shortened to what there is room for."""
    instance.version = version[:LONGEST]
    instance.save(update_fields=["version"])


def note_broken(instance: Instance) -> None:
    """The version on record says that an upgrade left the instance in between."""
    before = instance.version.removesuffix(INCONSISTENT)
    note_version(instance, f"{before[: LONGEST - len(INCONSISTENT)]}{INCONSISTENT}")


def note_no_ways_back(finished: Upgrade) -> None:
    """Upgrades of which `finished` has left nothing on the device are not offered to be taken back any more."""
    gone = finished.facts.get(FORGOTTEN, ())
    kept = Upgrade.objects.filter(instance=finished.instance_id, **{f"facts__{KEPT}": True})
    for row in kept.exclude(pk=finished.pk):
        if str(row.pk) in gone:
            Upgrade.objects.filter(pk=row.pk).update(facts={**row.facts, KEPT: False})
