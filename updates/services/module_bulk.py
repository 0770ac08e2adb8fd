"""Everything that is offered, ordered at once: `update-modules`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.db import transaction

from devices.services.bulk import require_meant
from portal.core.actors import Actor
from updates.formats.available import Published
from updates.models import Instance, ModuleOrder
from updates.services.module_choice import Wanted, choose_instances
from updates.services.module_updates import ORDER, order_module
from updates.services.offers import Offer, offers

AT_ONCE = 1000
"""Instances in one order, at most: a larger fleet gets several."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bulk:
    """Which of the instances that could have something newer: of these names, of these modules; None: any."""

    instances: tuple[str, ...] | None = None
    modules: tuple[str, ...] | None = None
    canary: bool = False
    stops_at_failure: bool = False


def require_all_meant(
    bulk: Bulk, packages: Mapping[str, Published], *, said: int | None, how: str
) -> None:
    """Nothing, or Refused: many instances are offered something, and `said` is not their number. `how` is where to say it."""
    count = len(_ready(bulk, packages))
    require_meant(count=count, said=said, how=how, what="instances")


def update_modules(
    bulk: Bulk, packages: Mapping[str, Published], *, actor: Actor, reason: str
) -> list[ModuleOrder]:
    """There is an order for each image that instances are offered; none when nothing is offered, or all are held or busy."""
    actor.require(ORDER)
    found = _ready(bulk, packages)
    rows = Instance.objects.select_related("module", "device", "installation")
    by_pk = rows.in_bulk([offer.instance for offer in found])
    images: dict[str, list[Instance]] = {}
    for offer in found:
        images.setdefault(offer.image, []).append(by_pk[offer.instance])
    with transaction.atomic():
        return [
            order_module(wanted, actor=actor, reason=reason)
            for image, instances in images.items()
            for start in range(0, len(instances), AT_ONCE)
            if choose_instances(
                wanted := Wanted(
                    image=image, instances=instances[start : start + AT_ONCE],
                    canary=bulk.canary, stops_at_failure=bulk.stops_at_failure,
                )
            ).takes
        ]  # fmt: skip


def _ready(bulk: Bulk, packages: Mapping[str, Published]) -> list[Offer]:
    """What is offered to those that are neither held nor busy."""
    return [
        offer
        for offer in offers(packages, instances=bulk.instances, modules=bulk.modules)
        if not offer.held_why and not offer.busy
    ]
