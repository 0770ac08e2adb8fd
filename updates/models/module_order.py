"""Orders that several instances get one module image."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models

from updates.models.called_off import CanBeCalledOff


class ModuleOrder(CanBeCalledOff):
    """One order of a module image for instances: each of them has an upgrade that names this order, or stands in `left_out`.

    With `canary` the first upgrade has to succeed before the others start. With `stops_at_failure` those that have not begun
    are cancelled when one fails.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    verb = models.CharField(max_length=20)
    image = models.CharField(max_length=300)
    force = models.BooleanField(default=False)
    canary = models.BooleanField(default=False)
    stops_at_failure = models.BooleanField(default=False)
    left_out = models.JSONField(
        default=list, help_text="Instance and reason, for each one left out."
    )
    reason = models.TextField()
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    requested_by_name = models.CharField(max_length=150)
    created_at = models.DateTimeField(db_index=True)

    class Meta(CanBeCalledOff.Meta):
        ordering = ["-created_at"]
        default_permissions = ("view",)
        permissions = [
            ("order_module", "Can install, update and uninstall instances of modules"),
            ("override_module", "Can update an instance although its check refuses that"),
        ]

    def __str__(self) -> str:
        return self.image
