"""The composition root as an app: its checks run with every command."""

from __future__ import annotations

from django.apps import AppConfig

from portal.checks import register_checks


class PortalConfig(AppConfig):
    name = "portal"
    verbose_name = "Portal"

    def ready(self) -> None:
        register_checks()
