"""What operators speak of: all artifacts of one name."""

from __future__ import annotations

from django.conf import settings
from django.db import models


class ReleaseTag(models.Model):
    """A word that finds releases."""

    word = models.CharField(max_length=40, unique=True)

    class Meta:
        ordering = ["word"]
        default_permissions = ()

    def __str__(self) -> str:
        return self.word


class Release(models.Model):
    """Artifacts of one name, each for devices that no other of them fits. There is one as long as it has an artifact.

    A withdrawn one takes no new orders; what was ordered before goes on.
    """

    name = models.CharField(max_length=256, unique=True)
    notes = models.TextField(blank=True)
    tags = models.ManyToManyField(ReleaseTag, blank=True, related_name="releases")
    withdrawn_at = models.DateTimeField(null=True, blank=True)
    withdrawn_by = models.CharField(max_length=150, blank=True)
    withdrawn_reason = models.TextField(blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(db_index=True)

    class Meta:
        ordering = ["-created_at", "-id"]
        default_permissions = ("view", "change")
        permissions = [("withdraw_release", "Can withdraw a release, and take that back")]

    def __str__(self) -> str:
        return self.name
