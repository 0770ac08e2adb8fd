"""Whether an artifact fits a device, decided from the plan alone, before anybody talks to the device. Pure.

The rules are those of Mender's client for depends and provides: every key that the artifact depends on must be among what
the device provides, with one of the accepted values; a missing key is not satisfied.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence

from updates.formats.mender_artifact import ArtifactDescription
from updates.plan import ArtifactPlan
from updates.recipes.finding import Finding


def fit(plan: ArtifactPlan) -> list[Finding]:
    """A finding for each thing that the artifact asks of the device; it fits if all are ok."""
    device = plan.device
    findings = [_one_of("device type", device.device_type, plan.device_types)]
    if plan.depends_names:
        findings.append(_provided(device.provides, "artifact_name", plan.depends_names))
    if plan.depends_groups:
        findings.append(_provided(device.provides, "artifact_group", plan.depends_groups))
    for key, accepted in sorted(plan.depends.items()):
        provides = {**device.provides, "device_type": device.device_type}
        findings.append(_provided(provides, key, accepted))
    return findings


def is_installed(plan: ArtifactPlan) -> bool:
    """Whether the device already has it: the same name, and everything that the artifact provides, to the letter."""
    return all(plan.device.provides.get(key) == value for key, value in new_provides(plan).items())


def new_provides(plan: ArtifactPlan) -> dict[str, str]:
    """What the artifact itself brings: its name, its group and what its payload provides."""
    return _brought(plan.artifact_name, plan.artifact_group, plan.provides)


def provides_after(plan: ArtifactPlan) -> dict[str, str]:
    """What the device provides once the artifact is committed.

    Keys that match one of the artifact's clears go first, then its own come in. An artifact without any clears list drops
    everything. The name is always replaced.
    """
    return _kept(plan.device.provides, plan.clears_provides) | new_provides(plan)


def after_commit(before: Mapping[str, str], artifact: ArtifactDescription) -> dict[str, str]:
    """What a device that provided `before` provides once this artifact is committed, by the same rules."""
    brought = _brought(artifact.name, artifact.group, artifact.provides)
    return _kept(before, artifact.clears_provides) | brought


def changes(plan: ArtifactPlan) -> dict[str, list[str | None]]:
    """The provides that would change, as key: [before, after]; None stands for absent."""
    before: Mapping[str, str] = plan.device.provides
    after: Mapping[str, str] = provides_after(plan)
    return {
        key: [before.get(key), after.get(key)]
        for key in sorted(before.keys() | after.keys())
        if before.get(key) != after.get(key)
    }


def _brought(name: str, group: str | None, provides: Mapping[str, str]) -> dict[str, str]:
    return {"artifact_name": name, **provides, **({"artifact_group": group} if group else {})}


def _kept(before: Mapping[str, str], clears: Sequence[str] | None) -> dict[str, str]:
    if clears is None:
        return {}
    return {
        key: value
        for key, value in before.items()
        if not any(_matches(key, glob) for glob in clears)
    }


def _matches(key: str, glob: str) -> bool:
    """Only `*` is special in a clears glob."""
    return fnmatch.fnmatchcase(key, glob.replace("[", "[[]").replace("?", "[?]"))


def _provided(provides: Mapping[str, str], key: str, accepted: Sequence[str]) -> Finding:
    if key not in provides:
        return Finding(key, ok=False, says=f"It needs {key}, which the device does not provide.")
    return _one_of(key, provides[key], accepted)


def _one_of(what: str, actual: str, accepted: Sequence[str]) -> Finding:
    if actual in accepted:
        return Finding(what, ok=True, says=f"{what} is {actual}.")
    wanted = " or ".join(accepted)
    return Finding(what, ok=False, says=f"It needs {what} {wanted}; the device has {actual}.")
