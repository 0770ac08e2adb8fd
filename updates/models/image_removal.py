"""Orders to remove images from the engines of devices."""

from __future__ import annotations

import uuid

from django.db import models

from devices.models import Device


class ImageRemoval(models.Model):
    """These images are to be removed from engines, never by force; each of its parts says what became of them on one device."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    references = models.JSONField()
    reason = models.CharField(max_length=2000)
    requested_by_name = models.CharField(max_length=150)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["-created_at"]
        default_permissions = ("view",)
        permissions = [("remove_image", "Can remove images from engines")]

    def __str__(self) -> str:
        return f"Removal of {', '.join(self.references)}"[:300]


class ImageRemovalPart(models.Model):
    """One device of it. `outcomes` are rows of reference, word (`removed`, `absent`, `in_use`, `failed`) and sentence.

    `error` is why nothing more could be done there: what has no outcome is as it was.
    """

    removal = models.ForeignKey(ImageRemoval, on_delete=models.CASCADE, related_name="parts")
    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="+")
    outcomes = models.JSONField(default=list)
    error = models.CharField(max_length=500, blank=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["removal", "device"], name="one_part_for_each_device")
        ]

    def __str__(self) -> str:
        return f"{self.removal} on {self.device}"
