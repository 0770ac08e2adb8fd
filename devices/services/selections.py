"""What somebody picked in a list, kept until they have said what to do with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Final

from django.db import transaction

from devices.models import StoredSelection
from devices.queries import SELECTION_HOURS, devices_matching
from portal.core import clock
from portal.core.actors import Actor
from portal.core.errors import NotPermitted, Refused

MOST_PICKED: Final = 1000
"""One by one; a filter finds more."""


def store_selection(
    *, ids: Iterable[int], words: Mapping[str, str], actor: Actor
) -> StoredSelection:
    """Picked devices, or without any all that `words` find, can be asked for by `queries.stored_selection` for a day.

    What others left behind longer ago is swept away.
    """
    actor.require("devices.view_device")
    if actor.user is None:
        raise NotPermitted("A selection belongs to somebody who logs in.")
    picked = sorted(set(ids))
    if len(picked) > MOST_PICKED:
        raise Refused(f"More than {MOST_PICKED} devices one by one are too many: use a filter.")
    if not picked:
        devices_matching(words)
    now = clock.now()
    with transaction.atomic():
        StoredSelection.objects.filter(
            created_at__lt=now - timedelta(hours=SELECTION_HOURS)
        ).delete()
        return StoredSelection.objects.create(
            owner=actor.user, ids=picked, words={} if picked else dict(words), created_at=now
        )
