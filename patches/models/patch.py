"""Archives of hot patches."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q

from updates.models import Module


class Patch(models.Model):
    """An archive bound to one Module and one version of it. Never changed; once `deleted_at` is set its file is gone.

    `composition` has a row for each file: {"path", "size", "sha256", "name", "version", "is_code"}, the last three as far as
    they can be read without a node. `known_to` is what nodes said of them: {path: [node, ...]}; null until one was asked.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=200)
    module = models.ForeignKey(Module, on_delete=models.PROTECT, related_name="patches")
    version = models.CharField(max_length=100)
    file = models.FileField(upload_to="patches", max_length=255, blank=True)
    sha256 = models.CharField(max_length=64)
    size = models.PositiveIntegerField()
    composition = models.JSONField()
    known_to = models.JSONField(null=True, blank=True)
    notes = models.TextField(blank=True)
    uploaded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    uploaded_by_name = models.CharField(max_length=150)
    uploaded_at = models.DateTimeField()
    deleted_at = models.DateTimeField(null=True, blank=True)
    deleted_by_name = models.CharField(max_length=150, blank=True)

    class Meta:
        ordering = ["-uploaded_at"]
        default_permissions = ("view",)
        permissions = [
            ("upload_patch", "Can upload hot patches"),
            ("check_patch", "Can check hot patches on nodes"),
            ("apply_patch", "Can apply hot patches"),
            ("override_patch", "Can apply a hot patch although its check refuses parts of it"),
            ("delete_patch", "Can delete the archives of hot patches"),
        ]
        verbose_name_plural = "patches"
        constraints = [
            models.UniqueConstraint(
                fields=["module", "version", "sha256"],
                condition=Q(deleted_at=None),
                name="patch_uploaded_once",
            ),
        ]

    def __str__(self) -> str:
        return self.name
