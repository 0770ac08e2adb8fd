"""What differs between the kinds of change when one is ordered again or taken back."""

from __future__ import annotations

from importlib import import_module
from typing import Protocol, cast

from django.conf import settings

from portal.core.actors import Actor
from updates.models import Upgrade
from updates.services.data_of import DataOf


class KindOrders(Protocol):
    """A module of services; `settings.ORDERS` names it. The caller has seen to permissions and states, and holds the lock."""

    def again(self, upgrade: Upgrade, *, actor: Actor, reason: str) -> Upgrade:
        """A new upgrade, not saved, that does the same with everything as it is now. Refused if that cannot be."""
        ...

    def back(self, upgrade: Upgrade, *, data: DataOf | None, actor: Actor, reason: str) -> Upgrade:
        """A new upgrade, not saved, that restores what `upgrade` kept. Refused where `data` must be said, or must not."""
        ...

    def placed(self, upgrade: Upgrade) -> None:
        """What the kind wants on record besides is there. Called in the transaction of the order."""
        ...

    def refuse_not_undoable(self, upgrade: Upgrade) -> None:
        """Nothing, or NotUndoable with the reason why an upgrade that succeeded and changed something can't be taken back."""
        ...


def orders_of(upgrade: Upgrade) -> KindOrders:
    """The services for the upgrade's kind."""
    return cast(KindOrders, import_module(settings.ORDERS[upgrade.kind]))
