"""What a look at an instance found for a module image."""

from __future__ import annotations

from django.db import models

from updates.models.check import Check
from updates.models.module import Instance


class ImageCheck(models.Model):
    """What the recipe's check found for one module image on one instance: kept with its age, replaced by the next one.

    `image` is its name in full, `digest` what that named (empty where it was not found), `is_local` whether the device's engine
    had it. `installed` and `installed_id` are what was in force then. `is_replaced`: the name stands for another image by now.
    `findings` are rows of {"what", "ok", "says"}.
    """

    image = models.CharField(max_length=300)
    instance = models.ForeignKey(Instance, on_delete=models.CASCADE, related_name="image_checks")
    verdict = models.CharField(
        max_length=20, choices=Check.Verdict, default=Check.Verdict.WAITING, db_index=True
    )
    findings = models.JSONField(default=list)
    digest = models.CharField(max_length=100, blank=True)
    is_local = models.BooleanField(default=False)
    is_replaced = models.BooleanField(default=False)
    installed = models.CharField(max_length=300, blank=True)
    installed_id = models.CharField(max_length=100, blank=True)
    requested_by_name = models.CharField(max_length=150)
    requested_at = models.DateTimeField(db_index=True)
    checked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-requested_at"]
        default_permissions = ("view",)
        permissions = [("check_image", "Can check module images on instances")]
        constraints = [
            models.UniqueConstraint(fields=["image", "instance"], name="one_image_check_per_pair"),
        ]

    def __str__(self) -> str:
        return f"{self.image} on {self.instance}"
