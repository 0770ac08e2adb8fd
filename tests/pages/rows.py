"""All that the portal keeps, so that a test can say that nothing of it changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.apps import apps
from django.core.files.storage import default_storage

APPS = ("core", "devices", "updates", "auth")


def rows() -> dict[str, list[dict[str, Any]]]:
    """Every row of the portal's tables, by table."""
    return {
        model._meta.label: list(model._default_manager.order_by("pk").values())
        for label in APPS
        for model in apps.get_app_config(label).get_models()
    }


def stored_files() -> set[str]:
    """Every file in the storage."""
    folder = Path(default_storage.path(""))
    return {str(path) for path in folder.rglob("*") if path.is_file()}
