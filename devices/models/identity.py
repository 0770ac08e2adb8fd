"""Who asks to be a device of ours: what it says that it is, and the keys that it proved."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q

from devices.models.device import Device


class DeviceIdentity(models.Model):
    """What a device that pulls says that it is. It outlives keys and decommissioning: asking again means the same device.

    `id_hash` is the SHA-256 of `id_data` as JSON with sorted keys, in hex digits. `refused_at` is when the device last sent
    something that was refused, until something of that kind is taken; None: nothing is.
    """

    class Asked(models.TextChoices):
        """What a device that is let in sends."""

        INVENTORY = "inventory", "inventory"
        POLL = "poll", "question for its next update"
        STATUS = "status", "report of its update"
        LOG = "log", "log"
        CONTROL_MAP = "control_map", "question whether it may go on"

    id_hash = models.CharField(max_length=64, unique=True, editable=False)
    id_data = models.JSONField()
    device = models.OneToOneField(
        Device, null=True, blank=True, on_delete=models.PROTECT, related_name="identity"
    )

    refused_at = models.DateTimeField(null=True, blank=True, editable=False)
    refused_what = models.CharField(max_length=20, choices=Asked, blank=True, editable=False)
    refused_why = models.CharField(max_length=300, blank=True, editable=False)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return ", ".join(f"{key}={value}" for key, value in self.id_data.items())


class AuthSet(models.Model):
    """One key of one identity, and whether it is let in.

    `key_hash` is the SHA-256 of the key's DER form (SubjectPublicKeyInfo), in hex digits. `requested_at` is when the device
    first asked with it; None: it was preauthorised, and nobody has asked yet.
    """

    class Status(models.TextChoices):
        PENDING = "pending", "Pending"
        ACCEPTED = "accepted", "Accepted"
        REJECTED = "rejected", "Rejected"
        PREAUTHORIZED = "preauthorized", "Preauthorized"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    identity = models.ForeignKey(DeviceIdentity, on_delete=models.CASCADE, related_name="auth_sets")
    public_key = models.TextField(help_text="PEM.")
    key_hash = models.CharField(max_length=64, editable=False)
    status = models.CharField(max_length=20, choices=Status)
    requested_at = models.DateTimeField(null=True, blank=True)
    last_asked_at = models.DateTimeField(null=True, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    decided_by_name = models.CharField(max_length=150, blank=True)

    class Meta:
        default_permissions = ("view",)
        permissions = [
            ("decide_authset", "Can accept, reject, dismiss and preauthorise devices that ask"),
        ]
        indexes = [
            models.Index(fields=["status", "-requested_at"], name="authset_by_status"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["identity", "key_hash"], name="one_authset_per_key_of_an_identity"
            ),
            models.UniqueConstraint(
                fields=["identity"],
                condition=Q(status="accepted"),
                name="one_accepted_authset_per_identity",
            ),
        ]
        verbose_name = "key of a device"
        verbose_name_plural = "keys of devices"

    def __str__(self) -> str:
        return f"{self.identity} ({self.key_hash[:12]})"
