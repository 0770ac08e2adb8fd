"""What a preflight of a watched container found."""

from __future__ import annotations

from django.db import models

from updates.models.watched import WatchedContainer


class ContainerCheck(models.Model):
    """What the recipe's check found for one image on one watched container: kept with its age, replaced by the next one.

    `findings` are rows of {"what", "ok", "says"}. `installed` is the image that ran then, by its name and digest.
    """

    class Verdict(models.TextChoices):
        WAITING = "waiting", "Waiting"
        COMPATIBLE = "compatible", "Can be upgraded"
        REFUSED = "refused", "Cannot be upgraded"
        UNREACHABLE = "unreachable", "Unreachable"

    watched = models.OneToOneField(
        WatchedContainer, on_delete=models.CASCADE, related_name="preflight"
    )
    image = models.CharField(max_length=300)
    verdict = models.CharField(max_length=20, choices=Verdict, default=Verdict.WAITING)
    findings = models.JSONField(default=list)
    installed = models.CharField(max_length=400, blank=True)
    requested_by_name = models.CharField(max_length=150)
    requested_at = models.DateTimeField()
    checked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["watched__instance__name"]
        default_permissions = ("view",)

    def __str__(self) -> str:
        return f"{self.image} for {self.watched}: {self.verdict}"
