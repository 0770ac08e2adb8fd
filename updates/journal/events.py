"""Adding to an upgrade's history."""

from __future__ import annotations

import uuid
from typing import Any

from portal.core import clock
from updates.models import Upgrade, UpgradeEvent
from updates.output import storable


def append_event(upgrade_id: uuid.UUID | str, text: str = "", **fields: Any) -> None:  # noqa: ANN401 - columns
    """The event is the upgrade's newest, under the number that `last_seq` was just raised to in this transaction."""
    seq = Upgrade.objects.values_list("last_seq", flat=True).get(pk=upgrade_id)
    UpgradeEvent.objects.create(
        upgrade_id=upgrade_id, seq=seq, at=clock.now(), text=storable(text), **fields
    )
