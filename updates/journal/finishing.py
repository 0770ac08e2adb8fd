"""Who hears that an upgrade is over."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.utils.module_loading import import_string

from updates.models import Upgrade


def tell_finished(*upgrade_ids: uuid.UUID | str) -> None:
    """Whoever `settings.UPGRADE_FINISHED` names has done its part for each of them. In the caller's transaction."""
    rows = Upgrade.objects.select_related("device", "artifact", "instance")
    told = [import_string(name) for name in settings.UPGRADE_FINISHED]
    for finished in rows.filter(pk__in=upgrade_ids):
        for tell in told:
            tell(finished)
