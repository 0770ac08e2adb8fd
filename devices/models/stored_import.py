"""A file of devices before it is carried out."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models


class StoredImport(models.Model):
    """A file of devices that somebody uploaded, between its preview and the word to carry it out. Good for a day."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=255)
    content = models.BinaryField()
    created_at = models.DateTimeField(db_index=True)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.name
