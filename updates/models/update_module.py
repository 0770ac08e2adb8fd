"""Handler scripts for payload types, kept by the portal."""

from __future__ import annotations

from django.conf import settings
from django.db import models


class UpdateModule(models.Model):
    """A handler script for one payload type (Mender's term), kept here and brought to devices that need it.

    A change is a new version; the newest is used. Versions count from 1 for each name.
    """

    name = models.CharField(max_length=100)
    version = models.PositiveIntegerField()
    sha256 = models.CharField(max_length=64)
    size = models.PositiveIntegerField()
    file = models.FileField(upload_to="update-modules", max_length=255)
    notes = models.TextField(blank=True)
    uploaded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    uploaded_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name", "-version"]
        default_permissions = ("view",)
        permissions = [("upload_updatemodule", "Can upload Update Modules")]
        verbose_name = "Update Module"
        constraints = [
            models.UniqueConstraint(fields=["name", "version"], name="update_module_version"),
        ]

    def __str__(self) -> str:
        return f"{self.name} v{self.version}"
