"""Verbs for orders to many devices: preview, deploy, cancel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from devices.models import Device
from devices.queries import shut_out, signed_only_groups
from devices.services.bulk import require_seen
from portal.core import audit, clock
from portal.core.actors import Actor
from portal.core.errors import Refused
from updates import dispatch, journal
from updates.models import Artifact, Deployment, Release, UpdateModule, Upgrade
from updates.models.deployment import LONGEST_NAME
from updates.services.artifacts import newest_update_module
from updates.services.choosing import NOT_LET_IN, Choice, artifacts_of, choose, refuse_withdrawn
from updates.services.order_cancels import cancel_order
from updates.services.planning import plan_artifact
from updates.services.upgrades import build

AT_ONCE = 1000
"""Upgrades that are made and written at once: a deployment to a whole fleet needs no more memory than its list of devices."""

TOLD_APART = ("name", "device_type", "provides", "root", "driver")
"""What is loaded of a device to say whether an artifact fits it."""


@dataclass(slots=True)
class Preview:
    """Who would get an artifact and who would not: `left_out` is (device, reason), `unchanged` already has it.

    `artifacts` says which one each of `takes` would get, by the device's id. Of the devices only what tells them apart is
    loaded.
    """

    takes: list[Device] = field(default_factory=list)
    unchanged: list[Device] = field(default_factory=list)
    left_out: list[tuple[Device, str]] = field(default_factory=list)
    artifacts: dict[int, Artifact] = field(default_factory=dict)


def preview_deployment(
    *, artifact: Artifact, devices: QuerySet[Device], force: bool = False
) -> Preview:
    """What a deployment of `artifact` to `devices` would do. No effect. Refused for what was withdrawn."""
    return _preview(artifact.release, [artifact], devices, force=force)


def preview_release(*, release: Release, devices: QuerySet[Device], force: bool = False) -> Preview:
    """The same for a release: each device would get that of its artifacts which fits it."""
    return _preview(release, artifacts_of(release), devices, force=force)


def _preview(
    release: Release, artifacts: Sequence[Artifact], devices: QuerySet[Device], *, force: bool
) -> Preview:
    refuse_withdrawn(release)
    preview, guarded, outside = Preview(), signed_only_groups(), shut_out()
    choices: dict[tuple[str, str, str], Choice] = {}
    for device in devices.only(*TOLD_APART).iterator(AT_ONCE):
        if device.pk in outside:
            preview.left_out.append((device, NOT_LET_IN))
            continue
        # In a fleet thousands are alike, and alike devices get the same answer.
        signed_only = guarded.get(device.pk, "")
        alike = (device.device_type, signed_only, repr(sorted(device.provides.items())))
        if alike not in choices:
            choices[alike] = choose(artifacts, device, signed_only=signed_only)
        choice = choices[alike]
        if choice.artifact is None:
            preview.left_out.append((device, choice.why_not))
        elif choice.is_there and not force:
            preview.unchanged.append(device)
        else:
            preview.takes.append(device)
            preview.artifacts[device.pk] = choice.artifact
    return preview


def deploy_artifact(  # noqa: PLR0913 - what an order to many is made of
    *,
    artifact: Artifact,
    devices: QuerySet[Device],
    actor: Actor,
    reason: str,
    name: str = "",
    selection: dict[str, Any] | None = None,
    force: bool = False,
    seen: str = "",
) -> Deployment:
    """Every device of `devices` that the artifact fits has an upgrade of its own; who does not is named with the reason.

    Upgrades of busy devices wait for their turn. Refused when nobody is left, or others than somebody saw, whose mark `seen` is.
    """
    deployment = Deployment(
        name=(name.strip() or artifact.name)[:LONGEST_NAME],
        artifact=artifact,
        release=artifact.release,
        selection=selection or {},
        reason=reason.strip(),
    )
    return _deploy(deployment, [artifact], devices, actor=actor, force=force, seen=seen)


def deploy_release(  # noqa: PLR0913 - the same
    *,
    release: Release,
    devices: QuerySet[Device],
    actor: Actor,
    reason: str,
    name: str = "",
    selection: dict[str, Any] | None = None,
    force: bool = False,
    seen: str = "",
) -> Deployment:
    """The same for a release: each device gets that of its artifacts which fits it."""
    deployment = Deployment(
        name=(name.strip() or release.name)[:LONGEST_NAME],
        release=release,
        selection=selection or {},
        reason=reason.strip(),
    )
    return _deploy(deployment, artifacts_of(release), devices, actor=actor, force=force, seen=seen)


def _deploy(
    deployment: Deployment,
    artifacts: Sequence[Artifact],
    devices: QuerySet[Device],
    *,
    actor: Actor,
    force: bool,
    seen: str,
) -> Deployment:
    actor.require("updates.deploy_artifact")
    with transaction.atomic():
        # Locked, so that a withdrawal is before all of it or after all of it.
        release = Release.objects.select_for_update().get(pk=deployment.release_id)
        preview = _preview(release, artifacts, devices.order_by("name"), force=force)
        if not preview.takes:
            raise Refused(_why_nobody(preview))
        if seen:
            require_seen(ids=[device.pk for device in preview.takes], seen=seen)
        left_out = [
            *([device.name, reason] for device, reason in preview.left_out),
            *([device.name, "It already has it."] for device in preview.unchanged),
        ]
        deployment.left_out, deployment.left_out_count = left_out, len(left_out)
        deployment.requested_by, deployment.requested_by_name = actor.user, actor.name
        deployment.created_at = clock.now()
        deployment.save(force_insert=True)
        for start in range(0, len(preview.takes), AT_ONCE):
            some = {
                device.pk: preview.artifacts[device.pk]
                for device in preview.takes[start : start + AT_ONCE]
            }
            _order(deployment, some, actor=actor, force=force)
        audit.record(
            actor=actor,
            action="deployment.create",
            subject=deployment,
            reason=deployment.reason,
            data={"devices": len(preview.takes), "left_out": len(left_out)},
        )
    return deployment


def _order(
    deployment: Deployment, artifacts: dict[int, Artifact], *, actor: Actor, force: bool
) -> None:
    """Each of these devices has an upgrade of the deployment to its artifact, and a worker will hear of it."""
    modules: dict[str, UpdateModule | None] = {
        payload_type: newest_update_module(payload_type)
        for payload_type in {artifact.payload_type for artifact in artifacts.values()}
    }
    upgrades = [
        build(
            plan_artifact(
                artifact=(artifact := artifacts[device.pk]),
                device=device,
                update_module=modules[artifact.payload_type],
                force=force,
            ),
            artifact=artifact,
            device=device,
            actor=actor,
            reason=deployment.reason,
            deployment=deployment,
        )
        for device in Device.objects.filter(pk__in=list(artifacts)).order_by("name")
    ]
    journal.open_upgrades(upgrades)
    dispatch.start_upgrades(upgrades)


def cancel_deployment(*, deployment: Deployment, actor: Actor, reason: str = "") -> int:
    """A cancel is on its way to every upgrade of the deployment that can still be cancelled: how many."""
    return cancel_order(deployment, actor=actor, reason=reason)


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
