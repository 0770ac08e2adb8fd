"""How installations are looked after: their settings, holds, and versions that are not to be offered."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db import transaction

from devices.models import Device
from portal.core import audit
from portal.core.actors import Actor
from portal.core.edits import changes_of
from portal.core.errors import Refused
from updates import journal
from updates.machine import State
from updates.models import Installation, Instance, Upgrade
from updates.recipes.health_gate import require_probe
from updates.services.module_choice import why_held

CHANGE: Final = "updates.change_installation"
SETTINGS: Final = ("on_failed_script", "keeps_data", "volumes", "probes")
MOST: Final = 50
LONGEST: Final = 255


def save_installation(*, installation: Installation, actor: Actor) -> Installation:
    """The settings are as given, for the next order. Django's ValidationError, by field, when that cannot be."""
    actor.require(CHANGE)
    installation.full_clean()
    require_volumes(installation.volumes)
    require_probes(installation.probes)
    if installation.volumes and not installation.keeps_data:
        raise ValidationError({"volumes": "Volumes are kept with the data only: keep that, too."})
    changes = changes_of(installation, fields=SETTINGS)
    with transaction.atomic():
        installation.save(update_fields=SETTINGS)
        _on_record("installation.change", installation, actor, data={"changes": changes})
    return installation


def hold_instance(*, instance: Instance, why: str, actor: Actor) -> Installation:
    """It gets no update any more but by a person who names it alone: what else waits is called off. Refused without a reason."""
    if not why.strip():
        raise Refused("Say why it is held: whoever wants to update it will read that.")
    data: dict[str, Any] = {}
    with _changing(
        instance, actor, "installation.hold", reason=why.strip(), data=data
    ) as installation:
        installation.is_held, installation.held_why = True, why.strip()[:300]
        if waiting := called_off_by_hold(instance):
            data["called_off"] = [str(upgrade) for upgrade in waiting]
            meant = Upgrade.objects.filter(pk__in=[upgrade.pk for upgrade in waiting])
            journal.cancel_waiting(meant, by=actor.name, why=why_held(installation))
    return installation


def called_off_by_hold(instance: Instance) -> list[Upgrade]:
    """The instance's upgrades that wait and came with an order for several; what names it alone is meant all the same."""
    waiting = Upgrade.objects.filter(instance=instance, state=State.PENDING)
    rows = waiting.select_related("module_order", "device", "instance")
    return [upgrade for upgrade in rows if _is_one_of_several(upgrade)]


def _is_one_of_several(upgrade: Upgrade) -> bool:
    order = upgrade.module_order
    return order is not None and (bool(order.left_out) or order.upgrades.count() > 1)


def release_instance(*, instance: Instance, actor: Actor, reason: str = "") -> Installation:
    """It is held no longer."""
    with _changing(instance, actor, "installation.release", reason=reason) as installation:
        if not installation.is_held:
            raise Refused(f"{instance} is not held.")
        installation.is_held, installation.held_why = False, ""
    return installation


def skip_version(
    *, instance: Instance, version: str, actor: Actor, reason: str = ""
) -> Installation:
    """The version is not offered for the instance, and orders for several leave it out."""
    data = {"version": version.strip()}
    with _changing(instance, actor, "installation.skip", reason=reason, data=data) as installation:
        if not 0 < len(version.strip()) <= LONGEST:
            raise Refused("Say which version is to be skipped.")
        others = [one for one in installation.skipped if one != version.strip()]
        if len(others) >= MOST:
            raise Refused(f"{MOST} versions are skipped there already: hold it instead.")
        installation.skipped = [*others, version.strip()]
    return installation


def offer_version(
    *, instance: Instance, version: str, actor: Actor, reason: str = ""
) -> Installation:
    """The version is offered again."""
    data = {"version": version}
    with _changing(instance, actor, "installation.offer", reason=reason, data=data) as installation:
        if version not in installation.skipped:
            raise Refused(f"Version {version} is not skipped there.")
        installation.skipped = [one for one in installation.skipped if one != version]
    return installation


@contextmanager
def _changing(
    instance: Instance,
    actor: Actor,
    action: str,
    *,
    reason: str,
    data: dict[str, Any] | None = None,
) -> Iterator[Installation]:
    """The installation, locked, to be changed in the block; saved and audited after it."""
    actor.require(CHANGE)
    with transaction.atomic():
        # An order for it that is just being made comes before, whole, or hears of this.
        list(Device.objects.select_for_update().filter(pk=instance.device_id))
        installation = Installation.objects.select_for_update().filter(instance=instance).first()
        if installation is None:
            raise Refused(f"{instance} was not installed from a module image.")
        yield installation
        installation.save()
        _on_record(action, installation, actor, reason=reason, data=data or {})


def _on_record(
    action: str, installation: Installation, actor: Actor, *, reason: str = "", data: dict[str, Any]
) -> None:
    """Under the instance's name: that is where somebody looks for it."""
    audit.record(
        actor=actor, action=action, subject=installation.instance, reason=reason, data=data
    )


def require_volumes(volumes: object) -> None:
    """Nothing, or ValidationError: these are no names of volumes."""
    names = volumes if isinstance(volumes, list) else [None]
    if len(names) > MOST or not all(isinstance(n, str) and 0 < len(n) <= LONGEST for n in names):
        raise ValidationError({"volumes": f"Names of volumes, {MOST} at most."})


def require_probes(probes: object) -> None:
    """Nothing, or ValidationError with what is wrong with one of these probes."""
    rows: list[Any] = probes if isinstance(probes, list) else [None]
    if len(rows) > MOST or not all(isinstance(row, dict) for row in rows):
        raise ValidationError({"probes": f"A list of probes, {MOST} at most."})
    for row in rows:
        try:
            require_probe(row)
        except ValueError as error:
            raise ValidationError({"probes": str(error)}) from None
