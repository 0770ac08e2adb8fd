"""What devices run: applications with versions, and each of their installations."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.db import models

from devices.models import NAME, Device


class Module(models.Model):
    """A named, versioned application that devices run.

    `runtime` is what its running processes are made of, where they take hot patches. `source` is the repository of its image,
    "ghcr.io/nethserver/mymodule", where it comes as one.
    """

    class Runtime(models.TextChoices):
        BEAM = "beam", "Erlang/BEAM"
        PYTHON = "python", "Python"

    name = models.CharField(max_length=100, unique=True, validators=[NAME])
    runtime = models.CharField(
        max_length=20,
        choices=Runtime,
        blank=True,
        help_text="Empty: its processes take no hot patches.",
    )
    source = models.CharField(
        max_length=255,
        blank=True,
        help_text="Where its images are, without a tag; empty: it comes as none.",
    )
    notes = models.TextField(blank=True)

    class Meta:
        ordering = ["name"]
        default_permissions = ("view", "add", "change")

    def __str__(self) -> str:
        return self.name


class Instance(models.Model):
    """One Module installed on one Device. `version` is the one that the portal knows to be installed there."""

    module = models.ForeignKey(Module, on_delete=models.PROTECT, related_name="instances")
    device = models.ForeignKey(Device, on_delete=models.PROTECT, related_name="instances")
    name = models.CharField(max_length=100, unique=True, validators=[NAME])
    version = models.CharField(max_length=100)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]
        default_permissions = ("view", "add", "change")

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Whatever is done to an instance is done through its device's shell or engine."""
        if self.device_id and self.device.driver == Device.Driver.PULL:
            raise ValidationError(
                f"{self.device} pulls by itself: nothing connects to it, so it has no instances."
            )
