"""Who the portal is to registries."""

from __future__ import annotations

from django.db import models

from portal.core.fields import EncryptedTextField


class RegistryLogin(models.Model):
    """Who the portal is to one registry, for itself and for engines that pull. The secret is encrypted at rest."""

    registry = models.CharField(
        max_length=255, unique=True, help_text="Its host, and its port if it has one: ghcr.io"
    )
    username = models.CharField(max_length=255)
    secret = EncryptedTextField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["registry"]

    def __str__(self) -> str:
        return self.registry
