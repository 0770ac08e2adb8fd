"""Recipes with the portal's storage behind them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import BinaryIO, cast

from django.conf import settings

from devices.drivers.shell import Shell
from devices.queries import signed_only_groups
from portal.core.stored import open_stored
from updates.plan import ArtifactPlan, Mode
from updates.recipes.artifact import ArtifactRecipe
from updates.recipes.signature_check import SignedOnlyRecipe
from updates.recipes.state_scripts import ScriptTimes
from updates.recipes.update_module import CallTimes
from updates.services.keys import trusted_now

CHUNK = 256 * 1024


def artifact_recipe(plan: ArtifactPlan, shell: Shell) -> ArtifactRecipe | SignedOnlyRecipe:
    """The recipe that carries out `plan` over `shell`, from the files in the storage; with the rules that hold now."""

    def open_artifact() -> AbstractContextManager[BinaryIO]:
        return cast(AbstractContextManager[BinaryIO], open_stored(plan.file))

    def read_module() -> Iterator[bytes]:
        if plan.update_module is None:
            return
        with open_stored(plan.update_module.file) as file:
            yield from file.chunks(CHUNK)

    recipe = ArtifactRecipe(
        plan,
        shell,
        open_artifact=open_artifact,
        read_module=read_module,
        kept_trees=settings.KEPT_TREES,
        call_times=CallTimes(
            query_seconds=settings.QUERY_LIMIT_SECONDS,
            kill_after_seconds=settings.KILL_AFTER_SECONDS,
            reboot_seconds=settings.REBOOT_LIMIT_SECONDS,
        ),
        script_times=ScriptTimes(
            run_seconds=settings.STATE_SCRIPT_LIMIT_SECONDS,
            retry_seconds=settings.STATE_SCRIPT_RETRY_SECONDS,
            retry_limit_seconds=settings.STATE_SCRIPT_RETRY_LIMIT_SECONDS,
        ),
    )
    if plan.mode is not Mode.INSTALL:
        return recipe
    return SignedOnlyRecipe(
        recipe,
        group=lambda: signed_only_groups(devices=[plan.device.id]).get(plan.device.id),
        trusted=trusted_now,
        open_artifact=open_artifact,
    )
