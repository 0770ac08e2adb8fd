"""What nodes say of a patch before it is applied."""

from __future__ import annotations

from django.db import models

from patches.models.patch import Patch
from updates.models import Instance


class PatchCheck(models.Model):
    """The check of one Patch on the nodes of one Instance: kept with its age, replaced by the next one.

    `nodes` are the ids of the nodes that were asked, `version` what the portal took for the instance's version then, and
    `version_says` who says so. `integral` is the smallest status of all, null while nodes are still being asked.
    """

    patch = models.ForeignKey(Patch, on_delete=models.CASCADE, related_name="checks")
    instance = models.ForeignKey(Instance, on_delete=models.CASCADE, related_name="patch_checks")
    nodes = models.JSONField(default=list)
    version = models.CharField(max_length=100, blank=True)
    version_says = models.CharField(max_length=200, blank=True)
    refusal = models.CharField(max_length=300, blank=True)
    integral = models.PositiveSmallIntegerField(null=True, blank=True)
    requested_by_name = models.CharField(max_length=150)
    requested_at = models.DateTimeField()
    checked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["instance__name"]
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(fields=["patch", "instance"], name="one_check_per_instance"),
        ]

    def __str__(self) -> str:
        return f"{self.patch} on {self.instance}"
