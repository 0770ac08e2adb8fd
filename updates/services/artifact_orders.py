"""How an upgrade of an artifact is ordered again, and how it is taken back: see `KindOrders`."""

from __future__ import annotations

from portal.core.actors import Actor
from portal.core.errors import Refused
from updates.errors import NotUndoable
from updates.machine import Outcome
from updates.models import Artifact, Upgrade
from updates.plan import ArtifactPlan, Mode
from updates.services.data_of import DataOf, refuse_choice
from updates.services.planning import plan_artifact
from updates.services.upgrades import build, chosen, plan_install


def again(upgrade: Upgrade, *, actor: Actor, reason: str) -> Upgrade:
    """With the device and the Update Module as they are now."""
    device = upgrade.device
    artifact = chosen([_artifact_of(upgrade)], device)
    asked = ArtifactPlan.from_json(upgrade.plan)
    plan = plan_install(artifact, device, force=asked.force, holds=asked.holds)
    return build(
        plan, artifact=artifact, device=device, actor=actor, reason=reason,
        deployment=upgrade.deployment,
    )  # fmt: skip


def back(upgrade: Upgrade, *, data: DataOf | None, actor: Actor, reason: str) -> Upgrade:
    """By the Update Module that did the work."""
    refuse_choice(data)
    artifact = _artifact_of(upgrade)
    plan = plan_artifact(
        artifact=artifact, device=upgrade.device, update_module=None, mode=Mode.RESTORE,
        tree_of=upgrade.pk, force=True,
    )  # fmt: skip
    done = ArtifactPlan.from_json(upgrade.plan)
    plan = plan.with_update_module(done.update_module)
    undo = build(plan, artifact=artifact, device=upgrade.device, actor=actor, reason=reason)
    undo.from_version, undo.to_version = upgrade.to_version, upgrade.from_version
    return undo


def placed(upgrade: Upgrade) -> None:
    """The upgrade's own row says it all."""


def refuse_not_undoable(upgrade: Upgrade) -> None:
    """An Update Module has to know the way back, and nothing may stand on top."""
    if upgrade.executor == Upgrade.Executor.DEVICE:
        raise NotUndoable("The device itself installed it: deploy an older artifact to it.")
    if not upgrade.facts.get("supports_rollback"):
        raise NotUndoable("Its Update Module does not support rollback: deploy an older artifact.")
    newer = _newer_on_top(upgrade)
    if newer is not None and newer.outcome == Outcome.BROKEN:
        raise NotUndoable(f"{newer} came after it, and is broken: deploy an artifact instead.")
    if newer is not None:
        raise NotUndoable(f"{newer} stands on top of it: roll that one back first.")


def _newer_on_top(upgrade: Upgrade) -> Upgrade | None:
    """The newest artifact that changed the device after `upgrade` and was not taken back since."""
    return (
        Upgrade.objects.filter(
            kind=upgrade.kind,
            device=upgrade.device_id,
            started_at__gt=upgrade.started_at,
            undoes=None,
            unchanged=False,
            outcome__in=[Outcome.SUCCEEDED, Outcome.BROKEN],
        )
        .exclude(undone_by__outcome=Outcome.SUCCEEDED)
        .select_related("device", "instance")
        .order_by("-started_at")
        .first()
    )


def _artifact_of(upgrade: Upgrade) -> Artifact:
    if upgrade.artifact is None:
        raise Refused("This upgrade is not of an artifact.")
    return upgrade.artifact
