"""Verbs for orders to many devices: preview, deploy, cancel."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from devices.models import Device
from portal.core import audit, clock
from portal.core.actors import Actor
from portal.core.errors import Refused
from updates import dispatch, journal
from updates.errors import TooLate
from updates.machine import CANCELLABLE
from updates.models import Artifact, Deployment, Upgrade
from updates.plan import ArtifactPlan
from updates.recipes.artifact_fit import fit, is_installed
from updates.services.artifacts import newest_update_module
from updates.services.planning import plan_artifact
from updates.services.upgrades import build


@dataclass(slots=True)
class Preview:
    """Who would get the artifact and who would not: `left_out` is (device, reason), `unchanged` already has it."""

    takes: list[Device] = field(default_factory=list)
    unchanged: list[Device] = field(default_factory=list)
    left_out: list[tuple[Device, str]] = field(default_factory=list)
    plans: dict[int, ArtifactPlan] = field(default_factory=dict)


def preview_deployment(
    *, artifact: Artifact, devices: Iterable[Device], force: bool = False
) -> Preview:
    """What a deployment of `artifact` to `devices` would do. No effect."""
    preview = Preview()
    module = newest_update_module(artifact.payload_type)
    for device in devices:
        plan = plan_artifact(artifact=artifact, device=device, update_module=module, force=force)
        misfit = next((finding for finding in fit(plan) if not finding.ok), None)
        if misfit is not None:
            preview.left_out.append((device, misfit.says))
        elif is_installed(plan) and not force:
            preview.unchanged.append(device)
        else:
            preview.takes.append(device)
            preview.plans[device.pk] = plan
    return preview


def deploy_artifact(
    *,
    artifact: Artifact,
    devices: QuerySet[Device],
    actor: Actor,
    reason: str,
    name: str = "",
    selection: dict[str, Any] | None = None,
    force: bool = False,
) -> Deployment:
    """Every device of `devices` that the artifact fits has an upgrade of its own; who does not is named with the reason.

    Upgrades of busy devices wait for their turn. Refused when nobody is left.
    """
    actor.require("updates.deploy_artifact")
    with transaction.atomic():
        chosen = list(devices.order_by("name"))
        preview = preview_deployment(artifact=artifact, devices=chosen, force=force)
        if not preview.takes:
            raise Refused(_why_nobody(preview))
        deployment = Deployment.objects.create(
            name=name.strip() or artifact.name,
            artifact=artifact,
            selection=selection or {},
            left_out=[
                *([device.name, reason] for device, reason in preview.left_out),
                *([device.name, "It already has it."] for device in preview.unchanged),
            ],
            reason=reason.strip(),
            requested_by=actor.user,
            requested_by_name=actor.name,
            created_at=clock.now(),
        )
        upgrades = [
            build(
                preview.plans[device.pk],
                artifact=artifact,
                device=device,
                actor=actor,
                reason=reason,
                deployment=deployment,
            )
            for device in preview.takes
        ]
        journal.open_upgrades(upgrades)
        audit.record(
            actor=actor,
            action="deployment.create",
            subject=deployment,
            reason=deployment.reason,
            data={"devices": len(upgrades), "left_out": len(deployment.left_out)},
        )
        dispatch.start_upgrades(upgrades)
    return deployment


def cancel_deployment(*, deployment: Deployment, actor: Actor, reason: str = "") -> int:
    """A cancel is on its way to every upgrade of the deployment that can still be cancelled: how many."""
    actor.require("updates.cancel_upgrade")
    cancelled = 0
    with transaction.atomic():
        for upgrade in deployment.upgrades.filter(state__in=CANCELLABLE):
            try:
                journal.request_cancel(str(upgrade.pk), by=actor.name)
            except TooLate:
                continue  # it moved on between our look and our word
            cancelled += 1
        audit.record(
            actor=actor,
            action="deployment.cancel",
            subject=deployment,
            reason=reason,
            data={"upgrades": cancelled},
        )
    return cancelled


def waiting_or_running(deployment: Deployment) -> QuerySet[Upgrade]:
    """The upgrades of the deployment that are not over."""
    return deployment.upgrades.filter(finished_at=None)


def _why_nobody(preview: Preview) -> str:
    if preview.unchanged and not preview.left_out:
        return "Every chosen device already has it."
    if preview.left_out:
        device, reason = preview.left_out[0]
        return f"It fits none of the chosen devices; {device}, for one: {reason}"
    return "No device is chosen."
