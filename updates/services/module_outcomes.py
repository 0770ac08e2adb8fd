"""What follows from the end of an upgrade of a module's instance: the records, and the rest of its order.

Called in the transaction that finishes it, see `settings.UPGRADE_FINISHED`.
"""

from __future__ import annotations

from typing import Any, Final

from devices.drivers.references import parse_reference
from devices.errors import BadReference
from portal.core import clock
from portal.core.actors import PORTAL
from updates import journal
from updates.machine import Outcome
from updates.models import Installation, Instance, Upgrade
from updates.plan import Kind
from updates.services.image_checks import note_image
from updates.services.installed import note_answered
from updates.services.noting import note_broken, note_no_ways_back, note_version
from updates.turns import is_canary

INSTALLED: Final = "installed"
"""The fact by which the recipe says what is in force: image, image_id, digest, version, images; all empty after an uninstall."""
FAILED: Final = (Outcome.FAILED, Outcome.ROLLED_BACK, Outcome.BROKEN)


def record_outcome(finished: Upgrade) -> None:
    """The instance is on record with what is installed there; one that an upgrade broke shows it in its version."""
    if finished.kind != Kind.MODULE or finished.instance is None:
        return
    note_answered(finished)
    note_no_ways_back(finished)
    if finished.outcome == Outcome.BROKEN:
        note_broken(finished.instance)
    elif finished.outcome == Outcome.SUCCEEDED and INSTALLED in finished.facts:
        _note_installed(finished.instance, finished.facts[INSTALLED])


def stop_order(finished: Upgrade) -> None:
    """What waited for a canary that did not succeed, or stops at the first failure, is cancelled; its history says why."""
    order = finished.module_order
    if order is None or finished.outcome == Outcome.SUCCEEDED:
        return
    if is_canary(finished):
        why = (
            f"It waited for {finished}, which was to succeed first and ended as {_word(finished)}."
        )
    elif order.stops_at_failure and finished.outcome in FAILED:
        why = f"The order stops at the first failure: {finished} ended as {_word(finished)}."
    else:
        return
    journal.cancel_waiting(order.upgrades.all(), by=PORTAL.name, why=why)


def _note_installed(instance: Instance, facts: dict[str, Any]) -> None:
    made = Installation.objects.get(instance=instance)
    made.image, made.image_id, made.digest = facts["image"], facts["image_id"], facts["digest"]
    made.images = [_in_full(image) for image in facts["images"]]
    made.uninstalled_at = None if made.image else clock.now()
    made.save(update_fields=["image", "image_id", "digest", "images", "uninstalled_at"])
    if made.image:
        note_image(_in_full(made.image), digest=made.digest, device=instance.device, is_local=True)
    if facts["version"]:
        note_version(instance, facts["version"])


def _in_full(image: str) -> str:
    """As engines compare names. What is none was nobody's to compare."""
    try:
        return str(parse_reference(image).tagged())
    except BadReference:
        return image


def _word(upgrade: Upgrade) -> str:
    return (upgrade.outcome or "").replace("_", " ")
