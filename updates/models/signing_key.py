"""Keys that the portal signs with."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from portal.core.fields import EncryptedTextField


class SigningKey(models.Model):
    """A private key, encrypted at rest and never shown; its public half is. `fingerprint` is that half's."""

    name = models.CharField(max_length=100, unique=True)
    kind = models.CharField(max_length=40, help_text="Such as RSA-3072 or ECDSA P-256.")
    private_pem = EncryptedTextField()
    public_pem = models.TextField()
    fingerprint = models.CharField(max_length=64, unique=True)
    added_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    added_at = models.DateTimeField()

    class Meta:
        ordering = ["name"]
        default_permissions = ("view", "add", "delete")
        permissions = [("use_signingkey", "Can have the portal sign an artifact")]

    def __str__(self) -> str:
        return self.name
