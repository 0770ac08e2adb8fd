"""Update Modules and devices: what a look at them found."""

from __future__ import annotations

from django.db import models

from devices.models import Device
from updates.models.update_module import UpdateModule


class CarriedModule(models.Model):
    """An Update Module that a device has of its own, as it was when the portal last looked."""

    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="carried_modules")
    name = models.CharField(max_length=100)
    sha256 = models.CharField(max_length=64)
    seen_at = models.DateTimeField()

    class Meta:
        ordering = ["device__name", "name"]
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["device", "name"], name="one_carried_module_per_name"),
        ]
        indexes = [models.Index(fields=["name", "sha256"], name="carried_module_by_name")]

    def __str__(self) -> str:
        return f"{self.name} on {self.device}"


class ModuleCheck(models.Model):
    """What a look at one version of an Update Module found on one device; replaced by the next one.

    `findings` are rows of {"what", "ok", "says"}.
    """

    class Verdict(models.TextChoices):
        WAITING = "waiting", "Waiting"
        COMPATIBLE = "compatible", "Works there"
        REFUSED = "refused", "Does not work there"
        UNREACHABLE = "unreachable", "Unreachable"

    module = models.ForeignKey(UpdateModule, on_delete=models.CASCADE, related_name="checks")
    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="module_checks")
    verdict = models.CharField(max_length=20, choices=Verdict, default=Verdict.WAITING)
    findings = models.JSONField(default=list)
    requested_by_name = models.CharField(max_length=150)
    requested_at = models.DateTimeField()
    checked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["device__name"]
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(fields=["module", "device"], name="one_module_check_per_pair"),
        ]

    def __str__(self) -> str:
        return f"{self.module} on {self.device}: {self.verdict}"
