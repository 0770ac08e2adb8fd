"""Applying a patch, applying it again, and the way back: the orders of the kind `patch`, see `KindOrders`."""

from __future__ import annotations

import uuid
from datetime import datetime

from django.db import transaction
from django.db.models import Count, Q

from patches.models import Application, KeptFiles, Patch
from patches.queries import in_force, nodes_of
from patches.services.applicable import refuse_not_applicable
from portal.core.actors import Actor
from updates.errors import NotUndoable
from updates.machine import Outcome
from updates.models import Instance, Upgrade
from updates.plan import Kind, Mode, PatchPlan
from updates.services.data_of import DataOf, refuse_choice
from updates.services.ordering import locked_idle, place, upgrade_for
from updates.services.planning import plan_device
from updates.services.upgrades import roll_back_upgrade

Standing = Application.Standing
WIDEST = 300


def apply_patch(
    *, patch: Patch, instance: Instance, actor: Actor, reason: str, override: bool = False
) -> Upgrade:
    """A new upgrade of `instance` is ordered, and every node will get the patch.

    NotApplicable without a fresh check that allows it. With `override` what the check refuses with 1-3 is left out on the nodes
    where it is refused; that asks for a permission of its own. TargetBusy when another upgrade is active or waiting there.
    """
    _require(actor, override=override)
    with transaction.atomic():
        locked_idle(instance.device)
        upgrade = _order(patch, instance, actor=actor, reason=reason, override=override)
        return place(upgrade, actor=actor, action="patch.apply")


def _require(actor: Actor, *, override: bool) -> None:
    actor.require("patches.apply_patch")
    if override:
        actor.require("patches.override_patch")


def revert_patch(*, patch: Patch, instance: Instance, actor: Actor, reason: str) -> Upgrade:
    """A new upgrade is ordered that takes the patch back from `instance`. NotUndoable when it is not in force there."""
    actor.require("updates.roll_back_upgrade")
    application = in_force(instance).filter(patch=patch).first()
    if application is None:
        raise NotUndoable(f"{patch} is not in force on {instance}.")
    return roll_back_upgrade(upgrade=application.upgrade, actor=actor, reason=reason)


def again(upgrade: Upgrade, *, actor: Actor, reason: str) -> Upgrade:
    """By the same rules as at first: a check has to be fresh."""
    done = PatchPlan.from_json(upgrade.plan)
    patch, instance = Patch.objects.get(pk=done.patch_id), Instance.objects.get(pk=done.instance_id)
    _require(actor, override=done.leaves_out)
    return _order(patch, instance, actor=actor, reason=reason, override=done.leaves_out)


def back(upgrade: Upgrade, *, data: DataOf | None, actor: Actor, reason: str) -> Upgrade:
    """The anti-patch: each node gets what the upgrade kept of it."""
    refuse_choice(data)
    application = Application.objects.select_related("patch", "instance__module").get(
        upgrade=upgrade
    )
    kept = KeptFiles.objects.filter(upgrade=upgrade).values_list("node", flat=True)
    plan = _plan(
        application.patch, application.instance, mode=Mode.RESTORE,
        nodes=sorted(node for node in kept if node), kept_of=str(upgrade.pk),
    )  # fmt: skip
    undo = upgrade_for(
        plan, kind=Kind.PATCH, device=application.instance.device, actor=actor, reason=reason
    )
    undo.instance = application.instance
    names = [row.patch.name for row in in_force(application.instance)]
    left = [row.patch.name for row in in_force(application.instance).exclude(upgrade=upgrade)]
    undo.from_version = _version(application.instance, names)
    undo.to_version = _version(application.instance, left)
    return undo


def placed(upgrade: Upgrade) -> None:
    """The application is on record with the order, unless it is the way back of one."""
    plan = PatchPlan.from_json(upgrade.plan)
    if plan.mode is Mode.INSTALL:
        Application.objects.create(
            upgrade=upgrade, patch_id=plan.patch_id, instance_id=plan.instance_id
        )


def refuse_not_undoable(upgrade: Upgrade) -> None:
    """A patch that is in force can be reverted, unless a newer one replaced a file of it; also if a way back of it broke."""
    kept, lost = Count("upgrade__kept_files"), Q(upgrade__kept_files__node=None)
    there = Application.objects.filter(
        instance=upgrade.instance, standing__in=[Standing.ACTIVE, Standing.BROKEN]
    )
    there = there.annotate(kept=kept, lost=Count("upgrade__kept_files", filter=lost))
    rows = {row.upgrade_id: row for row in there.select_related("patch", "upgrade")}
    application = rows.get(upgrade.pk)
    if application is None:
        gone = Application.objects.filter(upgrade=upgrade).first()
        why = gone.ended_why if gone else ""
        raise NotUndoable(f"The patch is not in force any more. {why}".strip())
    files = _paths(application.patch)
    for newer in rows.values():
        if _ended(newer) > _ended(application) and (shared := files & _paths(newer.patch)):
            raise NotUndoable(_why_below(newer, sorted(shared)[0]))
    if not application.kept:
        raise NotUndoable("Nothing was kept that could be put back.")
    if application.lost:
        raise NotUndoable(f"{application.lost} of the nodes that got it are not known any more.")


def _why_below(newer: Application, path: str) -> str:
    """What has to become of the newer patch first. One that went in and broke on its way back can be reverted once more."""
    if newer.upgrade.outcome != Outcome.BROKEN:
        return f"{newer.patch} stands on top of it, with {path}: revert that one first."
    broke = f"{newer.patch} broke on top of it, with {path}"
    if newer.patch.deleted_at is not None:
        return f"{broke}, and its archive is gone: upload it anew, and apply that first."
    return f"{broke}: apply it again first, that brings all of it in or takes all of it back."


def _ended(application: Application) -> datetime:
    return application.upgrade.finished_at or application.upgrade.created_at


def _order(
    patch: Patch, instance: Instance, *, actor: Actor, reason: str, override: bool
) -> Upgrade:
    refuse_not_applicable(patch, instance, override=override)
    nodes = sorted(nodes_of(instance).values_list("pk", flat=True))
    plan = _plan(patch, instance, mode=Mode.INSTALL, nodes=nodes, leaves_out=override)
    upgrade = upgrade_for(plan, kind=Kind.PATCH, device=instance.device, actor=actor, reason=reason)
    upgrade.instance = instance
    names = [application.patch.name for application in in_force(instance)]
    upgrade.from_version = _version(instance, names)
    upgrade.to_version = _version(instance, [*names, patch.name])
    return upgrade


def _version(instance: Instance, patches: list[str]) -> str:
    """The instance's version with what is patched there, as the history shows it."""
    return " + ".join([instance.version, *patches])[:WIDEST]


def _plan(
    patch: Patch,
    instance: Instance,
    *,
    mode: Mode,
    nodes: list[int],
    leaves_out: bool = False,
    kept_of: str | None = None,
) -> PatchPlan:
    return PatchPlan(
        upgrade=str(uuid.uuid4()),
        device=plan_device(instance.device),
        mode=mode,
        instance_id=instance.pk,
        instance=instance.name,
        module=instance.module.name,
        runtime=instance.module.runtime,
        version=patch.version,
        version_recorded=instance.version,
        patch_id=str(patch.pk),
        patch=patch.name,
        file=str(patch.file.name or ""),
        sha256=patch.sha256,
        nodes=nodes,
        leaves_out=leaves_out,
        kept_of=kept_of,
    )


def _paths(patch: Patch) -> set[str]:
    return {row["path"] for row in patch.composition}
