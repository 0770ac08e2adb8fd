"""What follows from the end of an upgrade of a watched container: see `settings.UPGRADE_FINISHED`."""

from __future__ import annotations

from typing import Any, Final

from updates.machine import Outcome
from updates.models import Instance, Upgrade, WatchedContainer
from updates.plan import Kind
from updates.recipes.engine_images import version_of
from updates.services.installed import note_answered
from updates.services.noting import note_broken, note_no_ways_back, note_version

INSTALLED: Final = "installed"


def record_outcome(finished: Upgrade) -> None:
    """The containers are on record with the image that they run; what an upgrade broke shows it in its version."""
    if finished.kind != Kind.CONTAINER or finished.instance is None:
        return
    note_answered(finished)
    note_no_ways_back(finished)
    instance = finished.instance
    if finished.outcome == Outcome.BROKEN:
        note_broken(instance)
    elif finished.outcome == Outcome.SUCCEEDED and INSTALLED in finished.facts:
        _note_installed(instance, finished.facts[INSTALLED])


def _note_installed(instance: Instance, facts: dict[str, Any]) -> None:
    watched = WatchedContainer.objects.get(instance=instance)
    watched.image, watched.image_id, watched.digest = (
        facts["image"], facts["image_id"], facts["digest"],
    )  # fmt: skip
    watched.save(update_fields=["image", "image_id", "digest"])
    note_version(instance, facts.get("version") or version_of(watched.image))
