"""Whose signature counts."""

from __future__ import annotations

from django.conf import settings
from django.db import models


class TrustedKey(models.Model):
    """A public key: an artifact with its signature is a signed one here. `fingerprint` is the SHA-256 of its DER form."""

    name = models.CharField(max_length=100, unique=True)
    kind = models.CharField(max_length=40, help_text="Such as RSA-3072 or ECDSA P-256.")
    pem = models.TextField()
    fingerprint = models.CharField(max_length=64, unique=True)
    added_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    added_at = models.DateTimeField()

    class Meta:
        ordering = ["name"]
        default_permissions = ("view", "add", "delete")

    def __str__(self) -> str:
        return self.name
