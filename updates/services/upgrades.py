"""Verbs for one upgrade: apply, cancel, retry, roll back."""

from __future__ import annotations

from dataclasses import replace

from django.db import transaction

from devices.models import Device
from devices.queries import shut_out, signed_only_groups
from portal.core import audit
from portal.core.actors import Actor
from portal.core.errors import Refused
from updates import dispatch, journal
from updates.errors import NotUndoable, TooLate
from updates.machine import Outcome, State
from updates.models import Artifact, Deployment, Release, Upgrade
from updates.plan import ArtifactPlan, Kind
from updates.services.artifacts import newest_update_module
from updates.services.choosing import NOT_LET_IN, artifacts_of, choose, refuse_withdrawn
from updates.services.data_of import DataOf, chosen_in
from updates.services.kinds import orders_of
from updates.services.ordering import locked_idle, place, upgrade_for
from updates.services.planning import plan_artifact
from updates.services.portal_upgrades import cancel_portal_upgrade


def apply_artifact(
    *,
    device: Device,
    artifact: Artifact,
    actor: Actor,
    reason: str,
    force: bool = False,
    holds: bool = False,
) -> Upgrade:
    """A new upgrade of `device` is ordered and will start at once. One that `holds` waits for `commit_upgrade`.

    NotCompatible when the artifact cannot fit it, TargetBusy when another upgrade is active or waiting there.
    """
    return _apply([artifact], device, actor=actor, reason=reason, force=force, holds=holds)


def apply_release(
    *,
    device: Device,
    release: Release,
    actor: Actor,
    reason: str,
    force: bool = False,
    holds: bool = False,
) -> Upgrade:
    """The same, with that artifact of the release that fits the device."""
    artifacts = artifacts_of(release)
    return _apply(artifacts, device, actor=actor, reason=reason, force=force, holds=holds)


def _apply(
    artifacts: list[Artifact],
    device: Device,
    *,
    actor: Actor,
    reason: str,
    force: bool,
    holds: bool,
) -> Upgrade:
    actor.require("updates.apply_artifact")
    with transaction.atomic():
        device = locked_idle(device)
        artifact = chosen(artifacts, device)
        upgrade = build(
            plan_install(artifact, device, force=force, holds=holds),
            artifact=artifact, device=device, actor=actor, reason=reason,
        )  # fmt: skip
        return place(upgrade, actor=actor, action="upgrade.apply")


def cancel_upgrade(*, upgrade: Upgrade, actor: Actor, reason: str = "") -> Upgrade:
    """The cancel is on its way: a waiting upgrade is over, a running one stops at its next safe point or goes back.

    TooLate once the change is being made permanent.
    """
    actor.require("updates.cancel_upgrade")
    if upgrade.executor == Upgrade.Executor.WATCHDOG:
        return cancel_portal_upgrade(upgrade=upgrade, actor=actor, reason=reason)
    with transaction.atomic():
        state = journal.request_cancel(str(upgrade.pk), by=actor.name)
        audit.record(
            actor=actor,
            action="upgrade.cancel",
            subject=upgrade,
            reason=reason,
            data={"state": state},
        )
        upgrade.refresh_from_db()
        if upgrade.state != State.FINISHED:
            dispatch.start_upgrades([upgrade])  # it may rest, and nobody would hear it
    return upgrade


def commit_upgrade(*, upgrade: Upgrade, actor: Actor, reason: str) -> Upgrade:
    """An upgrade that held before its commit goes on with it. Conflict when it does not wait for that."""
    actor.require("updates.apply_artifact")
    with transaction.atomic():
        journal.want_commit(str(upgrade.pk), by=actor.name)
        audit.record(actor=actor, action="upgrade.commit", subject=upgrade, reason=reason)
        upgrade.refresh_from_db()
        dispatch.start_upgrades([upgrade])
    return upgrade


def retry_upgrade(*, upgrade: Upgrade, actor: Actor, reason: str) -> Upgrade:
    """A new upgrade that does the same again, with the device and the Update Module as they are now.

    TooLate while the old one is not over, Refused when it succeeded.
    """
    actor.require("updates.retry_upgrade")
    refuse_not_repeatable(upgrade)
    if upgrade.undoes is not None:
        return _order_rollback(
            upgrade.undoes, data=chosen_in(upgrade), actor=actor, reason=reason, retries=upgrade
        )
    with transaction.atomic():
        upgrade.device = locked_idle(upgrade.device)
        again = orders_of(upgrade).again(upgrade, actor=actor, reason=reason)
        again.retries = upgrade
        return place(again, actor=actor, action="upgrade.retry")


def refuse_not_repeatable(upgrade: Upgrade) -> None:
    """Nothing, or Refused with the reason why `upgrade` cannot be done again; TooLate while it is not over."""
    if upgrade.state != State.FINISHED:
        raise TooLate("It is not over yet, so there is nothing to retry.")
    if upgrade.outcome == Outcome.SUCCEEDED:
        raise Refused("It succeeded, so there is nothing to retry.")
    if not upgrade.plan:
        raise Refused("It never had a plan that could be tried again: order a new one.")


def roll_back_upgrade(
    *, upgrade: Upgrade, data: DataOf | None = None, actor: Actor, reason: str
) -> Upgrade:
    """A new upgrade that takes `upgrade` back, from what that one kept on the device.

    NotUndoable when it changed nothing, when its Update Module knows no rollback, or when something newer stands on top.
    Containers whose data were backed up have a choice of `data`, which has to be made.
    """
    return _order_rollback(upgrade, data=data, actor=actor, reason=reason)


def _order_rollback(
    upgrade: Upgrade,
    *,
    data: DataOf | None,
    actor: Actor,
    reason: str,
    retries: Upgrade | None = None,
) -> Upgrade:
    actor.require("updates.roll_back_upgrade")
    refuse_not_undoable(upgrade)
    with transaction.atomic():
        upgrade.device = locked_idle(upgrade.device)
        refuse_not_undoable(upgrade)
        undo = orders_of(upgrade).back(upgrade, data=data, actor=actor, reason=reason)
        undo.undoes, undo.retries = upgrade, retries
        return place(undo, actor=actor, action="upgrade.retry" if retries else "upgrade.roll_back")


def refuse_not_undoable(upgrade: Upgrade) -> None:
    """Nothing, or NotUndoable with the reason why `upgrade` cannot be taken back."""
    if upgrade.state != State.FINISHED or upgrade.outcome != Outcome.SUCCEEDED:
        raise NotUndoable("Only an upgrade that succeeded can be rolled back.")
    if upgrade.unchanged:
        raise NotUndoable("It changed nothing, so there is nothing to roll back.")
    if upgrade.undoes_id is not None:
        raise NotUndoable("It is itself a rollback: order what you want to have instead.")
    undone = [row for row in upgrade.undone_by.all() if row.outcome == Outcome.SUCCEEDED]
    if by := next(iter(undone), None):
        raise NotUndoable(f"{by} has taken it back already.")
    orders_of(upgrade).refuse_not_undoable(upgrade)


def plan_install(artifact: Artifact, device: Device, *, force: bool, holds: bool) -> ArtifactPlan:
    """With the newest Update Module that the portal has for it."""
    plan = plan_artifact(
        artifact=artifact,
        device=device,
        update_module=newest_update_module(artifact.payload_type),
        force=force,
    )
    return replace(plan, holds=holds)


def chosen(artifacts: list[Artifact], device: Device) -> Artifact:
    """The one that fits the device, of a release that is not withdrawn."""
    if artifacts:
        refuse_withdrawn(artifacts[0].release)
    if device.driver == Device.Driver.PULL and shut_out(devices=[device.pk]):
        raise Refused(f"{device} cannot be updated: {NOT_LET_IN[0].lower()}{NOT_LET_IN[1:]}")
    signed_only = signed_only_groups(devices=[device.pk]).get(device.pk, "")
    return choose(artifacts, device, signed_only=signed_only).required()


def build(
    plan: ArtifactPlan,
    *,
    artifact: Artifact,
    device: Device,
    actor: Actor,
    reason: str,
    deployment: Deployment | None = None,
) -> Upgrade:
    """The upgrade for `plan`, not saved yet."""
    upgrade = upgrade_for(plan, kind=Kind.ARTIFACT, device=device, actor=actor, reason=reason)
    upgrade.deployment, upgrade.artifact = deployment, artifact
    upgrade.from_version, upgrade.to_version = device.artifact_name, artifact.name
    return upgrade
