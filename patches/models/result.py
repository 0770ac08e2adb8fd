"""What one node answered: to a check, or in a step of an upgrade."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from patches.models.node import Node
from patches.models.patch_check import PatchCheck
from updates.models import Upgrade


class NodeResult(models.Model):
    """One node's report, of a check or of an upgrade's `step`; of an upgrade it is never changed by a later step.

    `files` has a row for each file: {"path", "name", "status", "reason", "detail", "before", "after", "lingering",
    "is_written"}. `status` is the node's integral, null for a patch of assemblies alone.
    """

    class Step(models.TextChoices):
        CHECK = "check", "Check"
        APPLY = "apply", "Apply"
        BACK = "back", "Way back"

    check_of = models.ForeignKey(
        PatchCheck, null=True, blank=True, on_delete=models.CASCADE, related_name="results"
    )
    upgrade = models.ForeignKey(
        Upgrade, null=True, blank=True, on_delete=models.PROTECT, related_name="node_results"
    )
    step = models.CharField(max_length=20, choices=Step)
    node = models.ForeignKey(Node, null=True, on_delete=models.SET_NULL, related_name="results")
    node_name = models.CharField(max_length=100)
    is_reachable = models.BooleanField()
    trouble = models.CharField(max_length=20, blank=True)
    detail = models.TextField(blank=True)
    runtime = models.CharField(max_length=200, blank=True)
    version = models.CharField(max_length=100, blank=True)
    status = models.PositiveSmallIntegerField(null=True, blank=True)
    needs_restart = models.BooleanField(default=False)
    files = models.JSONField(default=list)
    millis = models.PositiveIntegerField(default=0)
    at = models.DateTimeField()

    class Meta:
        ordering = ["node_name", "id"]
        default_permissions = ("view",)
        constraints = [
            models.CheckConstraint(
                condition=Q(check_of=None, upgrade__isnull=False)
                | Q(check_of__isnull=False, upgrade=None),
                name="node_result_of_one_thing",
            ),
            models.UniqueConstraint(
                fields=["upgrade", "step", "node_name"], name="node_result_once_per_step"
            ),
            models.UniqueConstraint(
                fields=["check_of", "node_name"], name="node_result_once_per_check"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.node_name}: {self.status}"
