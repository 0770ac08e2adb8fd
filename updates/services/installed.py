"""What is installed after an upgrade: the device's record follows the outcome, in the same transaction."""

from __future__ import annotations

from devices.services import note_seen
from devices.services.pulled import heard_from
from updates.machine import Outcome
from updates.models import Upgrade
from updates.plan import INCONSISTENT
from updates.recipes.artifact_fit import provides_after
from updates.services.planning import plan_now

PROVIDES_BEFORE = "provides_before"
"""The fact that a rollback by hand goes back to. What the plan says may be older: the upgrade may have waited."""

UNREACHABLE_CODES = "DEV-1"


def record_outcome(finished: Upgrade) -> None:
    """The device provides what the upgrade left there; an upgrade that broke it is shown in the artifact's name."""
    if finished.artifact is None:
        return
    if finished.executor == Upgrade.Executor.DEVICE:
        _record_reported(finished)
        return
    note_answered(finished)
    if finished.unchanged:
        return
    device, artifact = finished.device, finished.artifact
    if finished.outcome == Outcome.SUCCEEDED and finished.undoes is not None:
        device.provides = finished.undoes.facts[PROVIDES_BEFORE]
    elif finished.outcome == Outcome.SUCCEEDED:
        _remember_before(finished)
        device.provides = provides_after(plan_now(finished))
    elif finished.outcome == Outcome.BROKEN:
        # Not from the plan: that it cannot be read any more may be the very reason.
        name = artifact.name.removesuffix(INCONSISTENT)
        group = {"artifact_group": artifact.group} if artifact.group else {}
        device.provides = {**device.provides, **group, "artifact_name": f"{name}{INCONSISTENT}"}
    else:
        return
    device.save(update_fields=["provides"])


def note_answered(finished: Upgrade) -> None:
    """The device was seen, unless it could not be reached. Of what was cancelled nobody may have asked it anything."""
    is_reached = not finished.error_code.startswith(UNREACHABLE_CODES)
    if is_reached and finished.outcome != Outcome.CANCELLED:
        note_seen(finished.device)


def _record_reported(finished: Upgrade) -> None:
    """What the device says is installed is so; until it says more, a success has installed what it was about."""
    device = finished.device
    is_news = finished.outcome == Outcome.SUCCEEDED and not finished.unchanged
    if is_news and device.artifact_name != finished.to_version:
        heard_from(device, provides=provides_after(plan_now(finished)))


def _remember_before(finished: Upgrade) -> None:
    device = finished.device
    facts = {**finished.facts, PROVIDES_BEFORE: device.provides}
    Upgrade.objects.filter(pk=finished.pk).update(facts=facts, from_version=device.artifact_name)
