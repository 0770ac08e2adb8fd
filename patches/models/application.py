"""Which patches are in force where."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from patches.models.patch import Patch
from updates.models import Instance, Upgrade


class Application(models.Model):
    """One order to apply a Patch to an Instance, and what has become of it since.

    ORDERED until the upgrade is over; ACTIVE while the patch is in force; BROKEN when nobody knows. An ELIMINATED one is history:
    the instance was upgraded or installed anew, and this patch can never be applied to it again.
    """

    class Standing(models.TextChoices):
        ORDERED = "ordered", "Ordered"
        ACTIVE = "active", "In force"
        BROKEN = "broken", "Broken"
        NOT_APPLIED = "not_applied", "Not applied"
        REVERTED = "reverted", "Reverted"
        ELIMINATED = "eliminated", "Eliminated"

    upgrade = models.OneToOneField(Upgrade, on_delete=models.PROTECT, related_name="application")
    patch = models.ForeignKey(Patch, on_delete=models.PROTECT, related_name="applications")
    instance = models.ForeignKey(Instance, on_delete=models.PROTECT, related_name="applications")
    standing = models.CharField(max_length=20, choices=Standing, default=Standing.ORDERED)
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_why = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["-upgrade__created_at"]
        default_permissions = ("view",)
        indexes = [models.Index(fields=["instance", "standing"], name="application_by_standing")]
        constraints = [
            models.UniqueConstraint(
                fields=["patch", "instance"],
                condition=Q(standing__in=["ordered", "active"]),
                name="patch_in_force_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.patch} on {self.instance}"
