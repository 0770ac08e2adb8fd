"""What a look at a device found."""

from __future__ import annotations

from django.db import models

from devices.models import Device
from updates.models.artifact import Artifact
from updates.models.upgrade import LONGEST_VERSION


class Check(models.Model):
    """What a recipe's check found for one artifact on one device: kept with its age, replaced by the next one.

    `findings` are rows of {"what", "ok", "says"}; `changes` the provides that would change, {"key": [before, after]}.
    """

    class Verdict(models.TextChoices):
        WAITING = "waiting", "Waiting"
        COMPATIBLE = "compatible", "Compatible"
        UNCHANGED = "unchanged", "Already installed"
        REFUSED = "refused", "Not compatible"
        UNREACHABLE = "unreachable", "Unreachable"

    artifact = models.ForeignKey(Artifact, on_delete=models.CASCADE, related_name="checks")
    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="checks")
    verdict = models.CharField(max_length=20, choices=Verdict, default=Verdict.WAITING)
    findings = models.JSONField(default=list)
    changes = models.JSONField(default=dict)
    installed = models.CharField(max_length=LONGEST_VERSION, blank=True)
    requested_by_name = models.CharField(max_length=150)
    requested_at = models.DateTimeField()
    checked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["device__name"]
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(fields=["artifact", "device"], name="one_check_per_pair"),
        ]
        indexes = [models.Index(fields=["artifact", "verdict"], name="check_by_verdict")]

    def __str__(self) -> str:
        return f"{self.artifact} on {self.device}: {self.verdict}"
