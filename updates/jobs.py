"""What workers run. Each job gets an id, loads, calls one service."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

import structlog

from devices.drivers.shell import Shell
from portal.core import leaving
from updates.models import (
    Backup,
    Check,
    ContainerCheck,
    ModuleCheck,
    Repository,
    Upgrade,
    WatchedContainer,
)
from updates.runner import Recipe
from updates.services.backup_jobs import carry_out_backup, carry_out_deletion, look_at_backups
from updates.services.carry_out import carry_out
from updates.services.checks import carry_out_check
from updates.services.container_checks import carry_out_preflight
from updates.services.container_recipes import container_recipe
from updates.services.image_checks import carry_out_image_check, image_checks
from updates.services.local_images import carry_out_removal
from updates.services.module_checks import carry_out_module_check
from updates.services.module_recipes import module_recipe
from updates.services.order_cancels import carry_out_cancel
from updates.services.planning import plan_now
from updates.services.recipes import artifact_recipe
from updates.services.repositories import carry_out_fetch
from updates.services.version_checks import carry_out_version_check

log = structlog.get_logger(__name__)


def run_artifact(upgrade_id: str) -> str:
    """Takes an upgrade of kind `artifact` as far as it will go."""
    return _carry_out(
        upgrade_id, lambda upgrade, shell, ways: artifact_recipe(plan_now(upgrade), shell)
    )


def run_module(upgrade_id: str) -> str:
    """Takes an upgrade of kind `module` as far as it will go."""
    return _carry_out(upgrade_id, module_recipe)


def run_container(upgrade_id: str) -> str:
    """Takes an upgrade of kind `container` as far as it will go."""
    return _carry_out(upgrade_id, container_recipe)


def _carry_out(upgrade_id: str, recipe_for: Callable[..., Recipe]) -> str:
    with ExitStack() as ways:

        def make_recipe(upgrade: Upgrade, shell: Shell) -> Recipe:
            return recipe_for(upgrade, shell, ways=ways)

        ending = carry_out(
            upgrade_id,
            make_recipe=make_recipe,
            worker=leaving.worker_name(),
            wants_leave=leaving.is_wanted,
        )
    log.info("job ended", upgrade=upgrade_id, ending=ending.value)
    return ending.value


def run_order_cancel(pk: str) -> str:
    """Cancels the next piece of an order to many that is not wanted any more."""
    left = carry_out_cancel(pk)
    log.info("job ended", order=pk, left=left)
    return f"{left} left"


def run_check(check_id: str) -> str:
    """Carries a check out, unless its artifact or device is gone by now."""
    check = Check.objects.select_related("artifact", "device__credential").filter(pk=check_id)
    found = check.first()
    return carry_out_check(found).verdict if found else "gone"


def run_module_check(check_id: str) -> str:
    """Looks at an Update Module on a device, unless one of them is gone by now."""
    check = ModuleCheck.objects.select_related("module", "device__credential").filter(pk=check_id)
    found = check.first()
    return carry_out_module_check(found).verdict if found else "gone"


def run_image_check(check_id: str) -> str:
    """Checks a module image on an instance, unless that is gone by now."""
    found = image_checks().select_related("instance__module").filter(pk=check_id).first()
    return carry_out_image_check(found).verdict if found else "gone"


def run_fetch(repository_id: str) -> str:
    """Fetches the index of a repository, unless that is gone by now."""
    found = Repository.objects.filter(pk=repository_id).defer("index").first()
    return (carry_out_fetch(found) or "fetched") if found else "gone"


def run_container_check(pk: str) -> str:
    """Looks at what an upgrade of a watched container would find, unless it is gone by now."""
    rows = ContainerCheck.objects.select_related(
        "watched__instance__module", "watched__instance__device__credential"
    )
    found = rows.filter(pk=pk).first()
    return carry_out_preflight(found).verdict if found else "gone"


def run_version_check(pk: str) -> str:
    """Asks the registry of a watched container what is newest, unless it is watched no longer."""
    rows = WatchedContainer.objects.filter(pk=pk, unwatched_at=None)
    found = rows.select_related("instance__device").first()
    return (carry_out_version_check(found) or "answered") if found else "gone"


def run_image_removal(pk: str) -> str:
    """Removes images from one device's engine, as far as they are in nobody's way."""
    part = carry_out_removal(pk)
    log.info("job ended", device=part.device.name, outcomes=len(part.outcomes), error=part.error)
    return part.error


def run_backup(pk: str) -> str:
    """Makes a backup that somebody asked for."""
    backup = Backup.objects.select_related("watched__instance__device__credential").get(pk=pk)
    ending = carry_out_backup(backup, wants_leave=leaving.is_wanted)
    log.info("job ended", backup=pk, ending=ending, error=backup.error)
    return ending


def run_backup_deletion(pk: str) -> str:
    """Deletes a backup that somebody wants to be gone."""
    backup = Backup.objects.select_related("watched__instance__device__credential").get(pk=pk)
    return carry_out_deletion(backup)


def run_backup_look(pk: str) -> str:
    """Looks which backups of a watched container there are."""
    rows = WatchedContainer.objects.select_related("instance__device__credential")
    return look_at_backups(rows.get(pk=pk))
