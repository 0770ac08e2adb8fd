"""Many devices under one name."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from devices.models.device import Device


class DeviceGroup(models.Model):
    """Many devices under one name: listed one by one (static), or all that a saved filter finds, whenever asked (dynamic).

    `filter` holds the words of a device list's query, e.g. {"device_type": "raspberrypi4"}; an empty one finds all devices.
    """

    class Kind(models.TextChoices):
        STATIC = "static", "Static: listed devices"
        DYNAMIC = "dynamic", "Dynamic: a saved filter"

    name = models.CharField(max_length=100, unique=True)
    kind = models.CharField(max_length=20, choices=Kind, default=Kind.STATIC)
    description = models.TextField(blank=True)
    members = models.ManyToManyField(Device, blank=True, related_name="static_groups")
    filter = models.JSONField(default=dict, blank=True)
    signed_only = models.BooleanField(
        default=False,
        help_text="Its devices take only artifacts that a trusted key has signed.",
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]
        permissions = [
            ("guard_devicegroup", "Can change groups that take signed artifacts only"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(kind="dynamic") | Q(filter={}),
                name="static_group_has_no_filter",
                violation_error_message="A static group has members, not a filter.",
            ),
        ]

    def __str__(self) -> str:
        return self.name
