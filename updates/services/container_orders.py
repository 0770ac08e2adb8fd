"""How an upgrade of a watched container is ordered, ordered again, and taken back: see `KindOrders`."""

from __future__ import annotations

import uuid
from dataclasses import replace

from django.conf import settings
from django.db import transaction

from portal.core.actors import Actor
from portal.core.errors import Refused
from updates.errors import NotUndoable
from updates.models import Upgrade, WatchedContainer
from updates.plan import BackupPlan, ContainerPlan, DumpPlan, InstalledImage, Kind, Mode
from updates.services.data_of import DataOf, data_from
from updates.services.ordering import upgrade_for
from updates.services.planning import plan_device
from updates.services.portal_trigger import hand_over, require_watchdog
from updates.services.undoing import refuse_buried

FORCE = "updates.force_container"
PORTAL = "updates.upgrade_portal"
"""For the portal itself, whatever is done to it."""


def plan_container(
    watched: WatchedContainer,
    *,
    mode: Mode = Mode.INSTALL,
    image: str,
    force: bool = False,
    backup: bool = True,
) -> ContainerPlan:
    """The plan of `image` for the watched containers, as they are on record now."""
    instance = watched.instance
    return ContainerPlan(
        upgrade=str(uuid.uuid4()),
        device=plan_device(instance.device),
        mode=mode,
        instance_id=instance.pk,
        instance=instance.name,
        module=instance.module.name,
        image=image,
        installed=InstalledImage(watched.image, watched.image_id, watched.digest, instance.version),
        containers=watched.containers,
        project_dir=watched.project_dir,
        backup=BackupPlan(
            wanted=backup,
            directory=watched.backup_dir,
            keep=watched.keeps_backups,
            volumes=watched.volumes,
            hook=watched.hook,
            dumps=[DumpPlan(**dump) for dump in watched.dumps],
        ),
        probes=watched.probes,
        health_seconds=watched.health_seconds,
        stop_seconds=watched.stop_seconds,
        min_free_bytes=settings.CONTAINER_MIN_FREE_BYTES,
        force=force,
    )


def build_container_upgrade(
    plan: ContainerPlan, *, watched: WatchedContainer, actor: Actor, reason: str
) -> Upgrade:
    """The upgrade for `plan`, not saved yet."""
    instance = watched.instance
    upgrade = upgrade_for(
        plan, kind=Kind.CONTAINER, device=instance.device, actor=actor, reason=reason
    )
    upgrade.instance = instance
    upgrade.from_version = plan.installed.image
    upgrade.to_version = plan.kept.image if plan.kept else plan.image
    if watched.is_portal:
        actor.require(PORTAL)
        require_watchdog()
        upgrade.executor = Upgrade.Executor.WATCHDOG
    return upgrade


def again(upgrade: Upgrade, *, actor: Actor, reason: str) -> Upgrade:
    """The same image for the containers as they are on record now."""
    asked = _readable(upgrade)
    if asked.force or not asked.backup.wanted:
        actor.require(FORCE)
    watched = _watched(asked)
    plan = plan_container(
        watched, mode=asked.mode, image=asked.image, force=asked.force, backup=asked.backup.wanted
    )
    plan = replace(plan, kept_of=asked.kept_of, kept=asked.kept, data_from=asked.data_from)
    return build_container_upgrade(plan, watched=watched, actor=actor, reason=reason)


def back(upgrade: Upgrade, *, data: DataOf | None, actor: Actor, reason: str) -> Upgrade:
    """The image of before, with the data of before or of now."""
    done = ContainerPlan.from_json(upgrade.plan)
    watched = _watched(done)
    plan = plan_container(watched, mode=Mode.RESTORE, image=done.installed.image)
    plan = replace(
        plan, kept_of=str(upgrade.pk), kept=done.installed, data_from=data_from(upgrade, data)
    )
    return build_container_upgrade(plan, watched=watched, actor=actor, reason=reason)


def placed(upgrade: Upgrade) -> None:
    """The upgrade's own row says it all; the portal's watchdog, which does not read it, is told after the commit."""
    if upgrade.executor == Upgrade.Executor.WATCHDOG:
        transaction.on_commit(lambda: hand_over(upgrade))


def refuse_not_undoable(upgrade: Upgrade) -> None:
    """An upgrade can be taken back while what it kept is there and nothing newer stands on top; a restored backup cannot."""
    if Mode(upgrade.plan["mode"]) is Mode.RESTORE:
        raise NotUndoable("It put a backup back: put the one back that it made itself.")
    refuse_buried(upgrade)


def _readable(upgrade: Upgrade) -> ContainerPlan:
    """Its plan. Refused for one that somebody has written into a trigger by hand, and that is none."""
    try:
        return ContainerPlan.from_json(upgrade.plan)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise Refused(f"Its plan cannot be read, so order a new one: {error}.") from None


def _watched(plan: ContainerPlan) -> WatchedContainer:
    rows = WatchedContainer.objects.select_related("instance__module", "instance__device")
    return rows.get(instance=plan.instance_id)
