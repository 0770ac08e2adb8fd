"""What was picked in a list of devices."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models


class StoredSelection(models.Model):
    """Devices that somebody picked in a list, on the way to the page of a verb: listed one by one, or all that words find.

    Good for its owner and for a day; what it means is asked again each time, through what the owner may touch by then.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    ids = models.JSONField(default=list, help_text="Of the picked devices; none: `words` tell.")
    words = models.JSONField(default=dict)
    created_at = models.DateTimeField(db_index=True)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{len(self.ids)} devices" if self.ids else f"devices with {self.words}"
