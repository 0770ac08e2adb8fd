"""What we update."""

from __future__ import annotations

from typing import Final

from django.db import models
from django.db.models import Q
from django.db.models.fields.json import KT

from devices.models.credential import Credential
from devices.models.words import ABSOLUTE, INCONSISTENT, LONGEST_TYPE, NAME, check_device_type

UNKNOWN_TYPE: Final = "unknown"
"""The type of a device that pulls, until it says one that a device can be of."""


class Device(models.Model):
    """Something we update: a host, an embedded device.

    `provides` is what is installed, as Mender means it (artifact_name, rootfs-image.*.version, ...): what the last committed
    upgrade left, or what the device itself reported. `attributes` is what people wrote about it, and what it answered when it
    was asked; `reported` is what a device that pulls says of itself: its identity, under what its inventory says.
    """

    class Driver(models.TextChoices):
        LOCAL = "local", "Local shell"
        SSH = "ssh", "SSH"
        PULL = "pull", "Pulls by itself"

    name = models.CharField(max_length=100, unique=True, validators=[NAME])
    device_type = models.CharField(max_length=LONGEST_TYPE, validators=[check_device_type])
    driver = models.CharField(max_length=20, choices=Driver)
    host = models.CharField(max_length=255, blank=True)
    port = models.PositiveIntegerField(default=22)
    credential = models.ForeignKey(
        Credential, null=True, blank=True, on_delete=models.PROTECT, related_name="devices"
    )
    host_key = models.TextField(blank=True, help_text="Confirmed by an operator, then pinned.")
    offered_host_key = models.TextField(blank=True, editable=False)
    root = models.CharField(max_length=255, default="/", validators=[ABSOLUTE])
    attributes = models.JSONField(default=dict, blank=True)
    reported = models.JSONField(default=dict, blank=True, editable=False)
    provides = models.JSONField(default=dict, blank=True)
    last_seen = models.DateTimeField(null=True, blank=True, editable=False)
    unreachable_reason = models.CharField(max_length=300, blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]
        permissions = [
            ("confirm_host_key", "Can confirm a device's host key"),
            ("refresh_device", "Can ask a device what it is and has"),
            ("use_local_driver", "Can have the portal's own host be a device"),
            ("decommission_device", "Can decommission devices that pull"),
        ]
        indexes = [
            models.Index(fields=["device_type", "name"], name="device_by_type"),
            models.Index(fields=["last_seen"], name="device_by_last_seen"),
            models.Index(KT("provides__artifact_name"), name="device_by_installed"),
            models.Index(
                fields=["name"],
                condition=Q(provides__artifact_name__endswith=INCONSISTENT),
                name="device_inconsistent",
            ),
            models.Index(
                fields=["name"], condition=~Q(unreachable_reason=""), name="device_unreachable"
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=~Q(driver="ssh") | (~Q(host="") & Q(credential__isnull=False)),
                name="device_ssh_has_host_and_credential",
                violation_error_message="A device reached by SSH needs a host and a credential.",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def artifact_name(self) -> str:
        """The name of what is installed; empty when nobody knows."""
        return str(self.provides.get("artifact_name", ""))

    @property
    def work_root(self) -> str:
        """The folder on the device that is ours: file trees, step records, fences."""
        return f"{self.root.rstrip('/')}/var/lib/fleetwright"

    @property
    def modules_dir(self) -> str:
        """Where the device's own Update Modules are (Mender's place for them)."""
        return f"{self.root.rstrip('/')}/usr/share/mender/modules/v3"
