"""Recipes with the portal's storage behind them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import BinaryIO, cast

from django.conf import settings
from django.core.files.storage import default_storage

from devices.drivers.shell import Shell
from updates.plan import ArtifactPlan
from updates.recipes.artifact import ArtifactRecipe

CHUNK = 256 * 1024


def artifact_recipe(plan: ArtifactPlan, shell: Shell) -> ArtifactRecipe:
    """The recipe that carries out `plan` over `shell`, from the files in the storage."""

    def open_artifact() -> AbstractContextManager[BinaryIO]:
        return cast(AbstractContextManager[BinaryIO], default_storage.open(plan.file, "rb"))

    def read_module() -> Iterator[bytes]:
        if plan.update_module is None:
            return
        with default_storage.open(plan.update_module.file, "rb") as file:
            yield from file.chunks(CHUNK)

    return ArtifactRecipe(
        plan,
        shell,
        open_artifact=open_artifact,
        read_module=read_module,
        kept_trees=settings.KEPT_TREES,
    )
