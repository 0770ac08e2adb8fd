"""Orders to many devices."""

from __future__ import annotations

import uuid
from typing import Final

from django.conf import settings
from django.db import models

from updates.models.artifact import Artifact
from updates.models.called_off import CanBeCalledOff
from updates.models.release import Release


class WithoutLeftOut(models.Manager["Deployment"]):
    """Loads who was left out only when asked: of an order to a fleet that are tens of thousands of names."""

    def get_queryset(self) -> models.QuerySet[Deployment]:
        return super().get_queryset().defer("left_out")


LONGEST_NAME: Final = 200


class Deployment(CanBeCalledOff):
    """An order to many devices. `selection` says how they were chosen; its upgrades say which they were.

    Each device gets the artifact of `release` that fits it, or `artifact` alone where only that one was ordered.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=LONGEST_NAME)
    release = models.ForeignKey(Release, on_delete=models.PROTECT, related_name="deployments")
    artifact = models.ForeignKey(
        Artifact, null=True, blank=True, on_delete=models.PROTECT, related_name="deployments"
    )
    selection = models.JSONField(default=dict)
    left_out = models.JSONField(
        default=list, help_text="Device name and reason, for each one left out."
    )
    left_out_count = models.PositiveIntegerField(
        default=0, help_text="How many those are: the list may be long, and lists do not load it."
    )
    reason = models.TextField()
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    requested_by_name = models.CharField(max_length=150)
    created_at = models.DateTimeField(db_index=True)
    objects = WithoutLeftOut()

    class Meta(CanBeCalledOff.Meta):
        ordering = ["-created_at"]
        default_permissions = ("view",)

    def __str__(self) -> str:
        return self.name
