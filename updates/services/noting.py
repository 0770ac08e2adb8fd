"""Keeping the recorded version of an instance true after its upgrades."""

from __future__ import annotations

from typing import Final

from updates.models import Instance
from updates.plan import INCONSISTENT

LONGEST: Final = Instance._meta.get_field("version").max_length or 0


def note_version(instance: Instance, version: str) -> None:
    """That version is on record, shortened to what there is room for."""
    instance.version = version[:LONGEST]
    instance.save(update_fields=["version"])


def note_broken(instance: Instance) -> None:
    """The version on record says that an upgrade left the instance in between."""
    before = instance.version.removesuffix(INCONSISTENT)
    note_version(instance, f"{before[: LONGEST - len(INCONSISTENT)]}{INCONSISTENT}")
