"""Verbs for orders to many devices: preview, deploy, cancel."""

from __future__ import annotations

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
from updates.recipes.artifact_fit import fit, is_installed
from updates.services.artifacts import newest_update_module
from updates.services.planning import plan_artifact
from updates.services.upgrades import build

AT_ONCE = 1000
"""Upgrades that are made and written at once: a deployment to a whole fleet needs no more memory than its list of devices."""

TOLD_APART = ("name", "device_type", "provides", "root")
"""What is loaded of a device to say whether an artifact fits it."""


@dataclass(slots=True)
class Preview:
    """Who would get the artifact and who would not: `left_out` is (device, reason), `unchanged` already has it.

    Of the devices only what tells them apart is loaded.
    """

    takes: list[Device] = field(default_factory=list)
    unchanged: list[Device] = field(default_factory=list)
    left_out: list[tuple[Device, str]] = field(default_factory=list)


def preview_deployment(
    *, artifact: Artifact, devices: QuerySet[Device], force: bool = False
) -> Preview:
    """What a deployment of `artifact` to `devices` would do. No effect."""
    preview = Preview()
    answers: dict[tuple[str, str], tuple[str, bool]] = {}
    for device in devices.only(*TOLD_APART).iterator(AT_ONCE):
        # In a fleet thousands are alike, and alike devices get the same answer.
        alike = (device.device_type, repr(sorted(device.provides.items())))
        if alike not in answers:
            answers[alike] = _answer(artifact, device)
        misfit, has_it = answers[alike]
        if misfit:
            preview.left_out.append((device, misfit))
        elif has_it and not force:
            preview.unchanged.append(device)
        else:
            preview.takes.append(device)
    return preview


def _answer(artifact: Artifact, device: Device) -> tuple[str, bool]:
    """Why the artifact does not fit the device (empty: it does), and whether the device has it already."""
    plan = plan_artifact(artifact=artifact, device=device, update_module=None)
    misfit = next((finding.says for finding in fit(plan) if not finding.ok), "")
    return misfit, is_installed(plan)


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
        preview = preview_deployment(
            artifact=artifact, devices=devices.order_by("name"), force=force
        )
        if not preview.takes:
            raise Refused(_why_nobody(preview))
        left_out = [
            *([device.name, reason] for device, reason in preview.left_out),
            *([device.name, "It already has it."] for device in preview.unchanged),
        ]
        deployment = Deployment.objects.create(
            name=name.strip() or artifact.name,
            artifact=artifact,
            selection=selection or {},
            left_out=left_out,
            left_out_count=len(left_out),
            reason=reason.strip(),
            requested_by=actor.user,
            requested_by_name=actor.name,
            created_at=clock.now(),
        )
        for start in range(0, len(preview.takes), AT_ONCE):
            some = [device.pk for device in preview.takes[start : start + AT_ONCE]]
            _order(deployment, some, actor=actor, force=force)
        audit.record(
            actor=actor,
            action="deployment.create",
            subject=deployment,
            reason=deployment.reason,
            data={"devices": len(preview.takes), "left_out": len(left_out)},
        )
    return deployment


def _order(deployment: Deployment, devices: list[int], *, actor: Actor, force: bool) -> None:
    """Each of these devices has an upgrade of the deployment, and a worker will hear of it."""
    artifact = deployment.artifact
    module = newest_update_module(artifact.payload_type)
    upgrades = [
        build(
            plan_artifact(artifact=artifact, device=device, update_module=module, force=force),
            artifact=artifact,
            device=device,
            actor=actor,
            reason=deployment.reason,
            deployment=deployment,
        )
        for device in Device.objects.filter(pk__in=devices).order_by("name")
    ]
    journal.open_upgrades(upgrades)
    dispatch.start_upgrades(upgrades)


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
