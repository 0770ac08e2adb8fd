"""What devices that pull said, one after the other, that they have installed."""

from __future__ import annotations

from django.db import models

from devices.models.device import Device
from devices.models.words import LONGEST_INSTALLED


class InstalledRecord(models.Model):
    """From `at` on the device said that it has `artifact_name` installed. Append-only: the database refuses changes."""

    device = models.ForeignKey(Device, on_delete=models.PROTECT, related_name="installed_records")
    artifact_name = models.CharField(max_length=LONGEST_INSTALLED)
    at = models.DateTimeField()

    class Meta:
        ordering = ["-at", "-id"]
        default_permissions = ()
        indexes = [models.Index(fields=["device", "-at"], name="installed_by_device")]

    def __str__(self) -> str:
        return f"{self.device}: {self.artifact_name}"
