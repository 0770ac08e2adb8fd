"""What opens devices."""

from __future__ import annotations

from django.db import models

from portal.core.fields import EncryptedTextField


class Credential(models.Model):
    """What a driver logs in with. Secrets are encrypted at rest, and never shown again once saved."""

    class Kind(models.TextChoices):
        SSH_KEY = "ssh_key", "SSH key"
        PASSWORD = "password", "Password"

    name = models.CharField(max_length=100, unique=True)
    kind = models.CharField(max_length=20, choices=Kind)
    username = models.CharField(max_length=100)
    secret = EncryptedTextField()
    passphrase = EncryptedTextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name
