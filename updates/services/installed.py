"""What is installed after an upgrade: the device's record follows the outcome, in the same transaction."""

from __future__ import annotations

from devices.services import note_seen
from updates.machine import Outcome
from updates.models import Upgrade
from updates.plan import ArtifactPlan, Mode
from updates.recipes.artifact_fit import provides_after

UNREACHABLE_CODES = "DEV-1"

INCONSISTENT = "_INCONSISTENT"
"""What Mender's clients append to the artifact's name when an update left the device in between."""


def record_outcome(finished: Upgrade) -> None:
    """The device provides what the upgrade left there; an upgrade that broke it is shown in the artifact's name."""
    if not finished.error_code.startswith(UNREACHABLE_CODES):
        note_seen(finished.device)
    if finished.artifact is None or finished.unchanged:
        return
    plan = ArtifactPlan.from_json(finished.plan)
    device = finished.device
    if finished.outcome == Outcome.SUCCEEDED and plan.mode is Mode.INSTALL:
        device.provides = provides_after(plan)
    elif finished.outcome == Outcome.SUCCEEDED and finished.undoes is not None:
        device.provides = ArtifactPlan.from_json(finished.undoes.plan).device.provides
    elif finished.outcome == Outcome.BROKEN:
        name = plan.artifact_name.removesuffix(INCONSISTENT)
        device.provides = {**device.provides, "artifact_name": f"{name}{INCONSISTENT}"}
    else:
        return
    device.save(update_fields=["provides"])
