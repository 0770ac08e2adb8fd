"""Who hears that an upgrade is over."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.utils.module_loading import import_string

from updates.models import Upgrade


def tell_finished(upgrade_id: uuid.UUID | str) -> None:
    """Whoever `settings.UPGRADE_FINISHED` names has done its part. In the caller's transaction."""
    finished = Upgrade.objects.select_related("device", "artifact", "instance").get(pk=upgrade_id)
    for name in settings.UPGRADE_FINISHED:
        import_string(name)(finished)
