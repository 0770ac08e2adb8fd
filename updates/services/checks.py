"""Checking an artifact against devices, without any effect on them; results are stored with their age."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Final

from django.conf import settings
from django.db import transaction
from django.utils.timesince import timesince

from devices.models import Device
from portal.core import audit, clock
from portal.core.actors import Actor
from portal.core.errors import Refused
from updates import dispatch
from updates.models import Artifact, Check, Release
from updates.plan import ArtifactPlan
from updates.recipes.artifact_fit import changes, fit, is_installed
from updates.recipes.finding import Finding
from updates.services.artifacts import newest_update_module
from updates.services.choosing import artifacts_of, nearest
from updates.services.looking import Seen, over_in_any_case, said_by, seen_on
from updates.services.planning import plan_artifact
from updates.services.recipes import artifact_recipe

BATCH: Final = 500
ASKED_ANEW: Final = (
    "verdict",
    "findings",
    "changes",
    "installed",
    "requested_by_name",
    "requested_at",
    "checked_at",
)
"""What a check that is asked for again begins with anew."""


def request_checks(*, artifact: Artifact, devices: Iterable[Device], actor: Actor) -> list[Check]:
    """A check of each device is on its way; until it is done its verdict is `waiting`. Refused when no device is chosen."""
    actor.require("updates.check_artifact")
    now = clock.now()
    with transaction.atomic():
        checks = Check.objects.bulk_create(
            (
                Check(
                    artifact=artifact,
                    device=device,
                    installed=device.artifact_name,
                    requested_by_name=actor.name,
                    requested_at=now,
                )
                for device in devices
            ),
            batch_size=BATCH,
            update_conflicts=True,
            unique_fields=["artifact", "device"],
            update_fields=ASKED_ANEW,
        )
        if not checks:
            raise Refused("No device is chosen.")
        audit.record(
            actor=actor, action="artifact.check", subject=artifact, data={"devices": len(checks)}
        )
        dispatch.start_checks(checks)
    return checks


def request_release_checks(
    *, release: Release, devices: Iterable[Device], actor: Actor
) -> list[Check]:
    """The same for a release: each device is checked against that of its artifacts which fits it, or comes nearest."""
    actor.require("updates.check_artifact")
    artifacts = artifacts_of(release)
    wanted: dict[Artifact, list[Device]] = {}
    for device in devices:
        wanted.setdefault(nearest(artifacts, device), []).append(device)
    if not wanted:
        raise Refused("No device is chosen.")
    with transaction.atomic():
        return [
            check
            for artifact, some in wanted.items()
            for check in request_checks(artifact=artifact, devices=some, actor=actor)
        ]


def carry_out_check(check: Check) -> Check:
    """The check's verdict is in, with a finding for each thing looked at."""
    with over_in_any_case(lambda bug: _keep(check, Check.Verdict.REFUSED, bug, {})):
        plan = plan_artifact(
            artifact=check.artifact,
            device=check.device,
            update_module=newest_update_module(check.artifact.payload_type),
        )
        if check.device.driver == Device.Driver.PULL:
            seen = said_by(check.device, fit(plan))
        else:
            seen = seen_on(check.device, lambda shell: artifact_recipe(plan, shell).inspect())
        verdict, would_change = _verdict(plan, seen), changes(plan)
    return _keep(check, verdict, seen.findings, would_change)


def _keep(
    check: Check,
    verdict: Check.Verdict,
    findings: Iterable[Finding],
    would_change: dict[str, Any],
) -> Check:
    check.verdict = verdict
    check.findings = [finding.as_json() for finding in findings]
    check.changes = would_change
    check.checked_at = clock.now()
    check.save()
    return check


def is_stale(check: Check) -> bool:
    """Whether the check is too old to rely on, or the device has something else installed by now."""
    return bool(why_stale(check))


def why_stale(check: Check) -> str:
    """The reason why the check is not to be relied on any more, as a sentence; empty while it is, or while it waits."""
    if check.checked_at is None:
        return ""
    if check.installed != check.device.artifact_name:
        before, now = (
            name or "nothing known" for name in (check.installed, check.device.artifact_name)
        )
        return f"Installed was {before} then, and is {now} now."
    limit = timedelta(seconds=settings.CHECK_STALE_SECONDS)
    now_is = clock.now()
    if now_is - check.checked_at > limit:
        return f"It is older than {timesince(now_is - limit, now_is)}."
    return ""


def _verdict(plan: ArtifactPlan, seen: Seen) -> Check.Verdict:
    if not seen.is_reached:
        return Check.Verdict.UNREACHABLE
    if not seen.is_good:
        return Check.Verdict.REFUSED
    return Check.Verdict.UNCHANGED if is_installed(plan) else Check.Verdict.COMPATIBLE
