"""The ground's tables: who did what and why, the tokens of programs, and the answers that a repeated order gets again."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models


class AuditEvent(models.Model):
    """One act of somebody: append-only (the database refuses changes), written by services in the act's transaction.

    `action` is a stable dotted word such as `upgrade.cancel`; names are kept as text, so that the entry still reads when
    user and subject are long gone.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    at = models.DateTimeField(db_index=True)
    actor_id = models.BigIntegerField(null=True, blank=True)
    actor = models.CharField(max_length=150)
    action = models.CharField(max_length=60, db_index=True)
    subject_type = models.CharField(max_length=60)
    subject_id = models.CharField(max_length=60)
    subject = models.CharField(max_length=300)
    reason = models.TextField(blank=True)
    data = models.JSONField(default=dict, blank=True)
    request_id = models.CharField(max_length=60, blank=True)

    class Meta:
        ordering = ["-at", "-id"]
        indexes = [
            models.Index(fields=["subject_type", "subject_id", "-at"]),
            models.Index(fields=["actor", "-at"], name="audit_by_actor"),
        ]
        verbose_name = "audit entry"
        verbose_name_plural = "audit entries"

    def __str__(self) -> str:
        return f"{self.actor}: {self.action} {self.subject}"


class ApiToken(models.Model):
    """A program's key to the API. Only its SHA-256 is stored; what a token may do is what its user may do."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_tokens"
    )
    name = models.CharField(max_length=100)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["user", "name"]

    def __str__(self) -> str:
        return f"{self.name} of {self.user}"


class IdempotencyKey(models.Model):
    """What a user's order under one Idempotency-Key was answered with: written in the transaction of the order's effect.

    Without a `status` there was no effect yet: whoever holds `claim` is carrying the order out, until `claimed_until` at most.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="idempotency_keys"
    )
    key = models.CharField(max_length=200)
    digest = models.CharField(max_length=64, help_text="SHA-256 of the order.")
    claim = models.UUIDField(default=uuid.uuid4)
    claimed_until = models.DateTimeField()
    status = models.PositiveSmallIntegerField(null=True, blank=True)
    headers = models.JSONField(default=dict, blank=True)
    body = models.JSONField(null=True, blank=True)
    created_at = models.DateTimeField(db_index=True)

    class Meta:
        ordering = ["-created_at"]
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["user", "key"], name="one_order_per_key_of_a_user"),
        ]

    def __str__(self) -> str:
        return self.key


class SavedFilter(models.Model):
    """The words of a list's query under a name: its owner's own, or for everybody who may see the list."""

    class Place(models.TextChoices):
        DEVICES = "devices", "Devices"

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="saved_filters"
    )
    place = models.CharField(max_length=20, choices=Place)
    name = models.CharField(max_length=60)
    query = models.CharField(max_length=1000, help_text="The query of the list's address.")
    is_shared = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]
        default_permissions = ()
        permissions = [("share_savedfilter", "Can share saved filters with everybody")]
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "place", "name"], name="one_saved_filter_per_name"
            ),
        ]

    def __str__(self) -> str:
        return self.name
