"""One verb for many devices."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q

from devices.models.group import DeviceGroup


class BulkOrder(models.Model):
    """One verb for many devices: `ids` is frozen, the first `done` of them are dealt with, some of which failed."""

    class Verb(models.TextChoices):
        REFRESH = "refresh", "Refresh"
        ADD_TO_GROUP = "add_to_group", "Add to a group"
        REMOVE_FROM_GROUP = "remove_from_group", "Remove from a group"
        DELETE = "delete", "Delete"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    verb = models.CharField(max_length=20, choices=Verb)
    group = models.ForeignKey(
        DeviceGroup, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    ids = models.JSONField(default=list)
    total = models.PositiveIntegerField()
    done = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    failures = models.JSONField(default=list, help_text="Device and reason, for the first of them.")
    reason = models.TextField()
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    requested_by_name = models.CharField(max_length=150)
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at"]
        default_permissions = ()
        indexes = [
            models.Index(
                fields=["created_at"], condition=Q(finished_at=None), name="bulk_order_open"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_verb_display()}: {self.total} devices"
