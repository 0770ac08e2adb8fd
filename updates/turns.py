"""Whose turn it is: the one place that says what an upgrade that waits has to wait for."""

from __future__ import annotations

from django.db.models import OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

from updates.machine import ACTIVE, State
from updates.models import Upgrade


def ahead() -> Coalesce:
    """An upgrade's id of what has to end before it may start, for a query; NULL when its turn has come.

    That is what is active on its device, else the oldest that waits there before it, else the canary of its order: the first
    upgrade of an order for modules that wants to see one succeed before the others start.
    """
    others = Upgrade.objects.filter(device=OuterRef("device")).exclude(pk=OuterRef("pk"))
    older = others.filter(state=State.PENDING, created_at__lt=OuterRef("created_at"))
    return Coalesce(
        Subquery(others.filter(state__in=ACTIVE).values("pk")[:1]),
        Subquery(older.order_by("created_at", "id").values("pk")[:1]),
        Subquery(_canary().values("pk")[:1]),
    )


def is_canary(upgrade: Upgrade) -> bool:
    """Whether the others of its order for modules wait until it has succeeded."""
    order = upgrade.module_order
    if order is None or not order.canary:
        return False
    return order.upgrades.order_by("created_at", "id").first() == upgrade


def _canary() -> QuerySet[Upgrade]:
    """The first upgrade of the outer one's order, while it is not over and is not the outer one itself."""
    of_order = Upgrade.objects.filter(
        module_order=OuterRef(OuterRef("module_order")), module_order__canary=True
    )
    first = of_order.order_by("created_at", "id").values("pk")[:1]
    return (
        Upgrade.objects.filter(pk=Subquery(first))
        .exclude(state=State.FINISHED)
        .exclude(pk=OuterRef("pk"))
    )
