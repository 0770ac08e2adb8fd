"""The anti-patch: what a patch replaced, kept by the portal."""

from __future__ import annotations

from django.db import models

from patches.models.node import Node
from updates.models import Upgrade


class KeptFiles(models.Model):
    """What one node had before an upgrade. The row is written after the file was stored: where it is, the file is whole."""

    upgrade = models.ForeignKey(Upgrade, on_delete=models.PROTECT, related_name="kept_files")
    node = models.ForeignKey(Node, null=True, on_delete=models.SET_NULL, related_name="kept_files")
    file = models.FileField(upload_to="patches/kept", max_length=255)
    sha256 = models.CharField(max_length=64)
    kept_at = models.DateTimeField()

    class Meta:
        default_permissions = ("view",)
        verbose_name_plural = "kept files"
        constraints = [
            models.UniqueConstraint(fields=["upgrade", "node"], name="kept_once_per_node"),
        ]

    def __str__(self) -> str:
        return f"before {self.upgrade_id} on {self.node}"
