"""Docker Engines of devices: how they are reached, and what they said."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from devices.models.device import Device
from devices.models.words import ABSOLUTE
from portal.core.fields import EncryptedTextField


class EngineAccess(models.Model):
    """How a device's Docker Engine is reached. PEM texts are for TCP; the key is encrypted at rest, and never shown."""

    class Way(models.TextChoices):
        UNIX = "unix", "Socket of the portal's own machine"
        TCP = "tcp", "TCP with TLS"
        SSH = "ssh", "The device's SSH connection"

    device = models.OneToOneField(Device, on_delete=models.CASCADE, related_name="engine_access")
    way = models.CharField(max_length=10, choices=Way)
    socket_path = models.CharField(
        max_length=255,
        blank=True,
        validators=[ABSOLUTE],
        help_text="Empty: /var/run/docker.sock, or with SSH the one that the login's Docker client finds.",
    )
    host = models.CharField(max_length=255, blank=True)
    port = models.PositiveIntegerField(default=2376)
    authority = models.TextField(blank=True)
    certificate = models.TextField(blank=True)
    key = EncryptedTextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["device__name"]
        constraints = [
            models.CheckConstraint(
                condition=~Q(way="tcp") | ~Q(host=""),
                name="engine_by_tcp_has_host",
                violation_error_message="An engine reached by TCP needs a host.",
            ),
        ]

    def __str__(self) -> str:
        return f"Engine of {self.device}"


class EngineLook(models.Model):
    """What a device's engine said when it was last asked; pages show this, and never ask an engine themselves.

    `images` and `containers` are as `devices.services.engine_looks` writes them. `error` is why the last question had no
    answer; the rest is then from the last one that had. `free_bytes` is the room where the engine keeps its images; None:
    only the engine could be asked, and engines do not know.
    """

    device = models.OneToOneField(Device, on_delete=models.CASCADE, related_name="engine_look")
    asked_at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True)
    error = models.CharField(max_length=500, blank=True)
    error_at = models.DateTimeField(null=True)
    version = models.CharField(max_length=200, blank=True)
    platform = models.CharField(max_length=100, blank=True)
    root_dir = models.CharField(max_length=500, blank=True)
    free_bytes = models.BigIntegerField(null=True)
    images = models.JSONField(default=list)
    containers = models.JSONField(default=list)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"Look at the engine of {self.device}"

    @property
    def is_being_taken(self) -> bool:
        """Whether it was asked for, and neither answer nor error has come since."""
        heard = [when for when in (self.answered_at, self.error_at) if when is not None]
        return not heard or max(heard) < self.asked_at
