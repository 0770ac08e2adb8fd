"""What an upgrade would do in each state, and how long each may take: said before it is ordered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.utils import timezone
from django.utils.timesince import timesince

from devices.models import Device
from devices.queries import signed_only_groups
from updates.admin_views.state_map import label_of
from updates.machine import Outcome
from updates.models import Artifact, Upgrade
from updates.recipes.artifact_fit import changes, fit, is_installed
from updates.recipes.artifact_story import Known, story
from updates.recipes.finding import Finding
from updates.services.artifacts import newest_update_module
from updates.services.choosing import signature_finding
from updates.services.planning import plan_artifact

LOOKED_AT = 20
"""Artifacts of the same payload type whose upgrades are asked what their Update Module said."""


@dataclass(frozen=True, slots=True)
class PlannedState:
    """One state of the plan: what happens in it, and the time after which it counts as failed."""

    label: str
    says: str
    limit: str


@dataclass(frozen=True, slots=True)
class ApplyPreview:
    """What applying an artifact to one device would mean: whether it fits, what would change, and every state."""

    artifact: Artifact
    findings: list[Finding]
    changes: dict[str, list[str | None]]
    is_installed: bool
    plan: list[PlannedState]


def preview_of(artifact: Artifact, device: Device) -> ApplyPreview:
    """As the portal knows the device now; a check asks the device itself."""
    plan = plan_artifact(artifact=artifact, device=device, update_module=None)
    return ApplyPreview(
        artifact,
        [
            *fit(plan),
            *signature_finding(
                artifact, signed_only_groups(devices=[device.pk]).get(device.pk, "")
            ),
        ],
        changes(plan),
        is_installed(plan),
        plan_preview(artifact, device),
    )


def plan_preview(artifact: Artifact, device: Device) -> list[PlannedState]:
    """The plan for `device`; for a deployment, for one of its devices as an example."""
    plan = plan_artifact(
        artifact=artifact,
        device=device,
        update_module=newest_update_module(artifact.payload_type),
    )
    return [
        PlannedState(label_of(state), says, _limit(state))
        for state, says in story(plan, _known(artifact)).items()
    ]


def _limit(state: str) -> str:
    now = timezone.now()
    return timesince(now - timedelta(seconds=settings.STATE_LIMIT_SECONDS[state]), now)


def _known(artifact: Artifact) -> Known:
    """What this payload type's Update Module answered in the newest upgrade that went well."""
    alike = Artifact.objects.filter(payload_type=artifact.payload_type).values_list("pk", flat=True)
    facts = (
        Upgrade.objects.filter(
            artifact__in=list(alike[:LOOKED_AT]),
            outcome=Outcome.SUCCEEDED,
            unchanged=False,
            undoes=None,
        )
        .order_by("-created_at")
        .values_list("facts", flat=True)
        .first()
    ) or {}
    return Known(facts.get("supports_rollback"), facts.get("needs_reboot"))
