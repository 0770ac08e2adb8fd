"""How far orders to many are, counted from their upgrades."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from django.db.models import Count, Exists, OuterRef, QuerySet

from updates.machine import ACTIVE, Outcome, State
from updates.models import Deployment, ModuleOrder, Upgrade

Order = Deployment | ModuleOrder

COLUMNS: Final[dict[type[Order], str]] = {Deployment: "deployment", ModuleOrder: "module_order"}
"""What an upgrade calls the order that it is of."""
WENT_WRONG: Final = (Outcome.FAILED, Outcome.ROLLED_BACK, Outcome.BROKEN)


@dataclass(slots=True)
class Counts:
    """An order's upgrades, counted: by outcome when they are over, else waiting or running."""

    waiting: int = 0
    running: int = 0
    outcomes: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys((word.value for word in Outcome), 0)
    )

    @property
    def total(self) -> int:
        return self.waiting + self.running + sum(self.outcomes.values())

    @property
    def is_over(self) -> bool:
        return self.waiting == 0 and self.running == 0


def counts(order: Order) -> Counts:
    """Counted from the rows themselves, each time: a counter kept beside them could lie."""
    return counts_of([order])[order.pk]


def counts_of(orders: Sequence[Order]) -> dict[UUID, Counts]:
    """The same for several orders of one kind, by their ids: in one query."""
    found = {order.pk: Counts() for order in orders}
    if not orders:
        return found
    column = COLUMNS[type(orders[0])]
    rows = Upgrade.objects.filter(**{f"{column}__in": list(found)}).order_by()
    for pk, state, outcome, count in rows.values_list(column, "state", "outcome").annotate(
        count=Count("*")
    ):
        if state == State.FINISHED:
            found[pk].outcomes[outcome] += count
        elif state == State.PENDING:
            found[pk].waiting += count
        else:
            found[pk].running += count
    return found


class Standing(StrEnum):
    """What lists of orders are asked for."""

    RUNNING = "running"
    OVER = "over"
    FAILURES = "failures"


def that_stand(orders: QuerySet[Any], standing: Standing) -> QuerySet[Any]:
    """Orders of which something still waits or runs, of which nothing does, or of which something went wrong."""
    upgrades = Upgrade.objects.filter(**{COLUMNS[orders.model]: OuterRef("pk")}).order_by()
    # Named one by one, these are looked up; "not over" would be looked for among all upgrades of the order.
    is_open = Exists(upgrades.filter(state__in=[State.PENDING, *sorted(ACTIVE)]))
    return orders.filter(
        {
            Standing.RUNNING: is_open,
            Standing.OVER: ~is_open,
            Standing.FAILURES: Exists(
                upgrades.filter(state=State.FINISHED, outcome__in=WENT_WRONG)
            ),
        }[standing]
    )
