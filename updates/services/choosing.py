"""Which artifact of a release a device gets, or why it gets none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from devices.models import LONGEST_TYPE, UNKNOWN_TYPE, Device
from portal.core.errors import Refused
from updates.errors import NotCompatible
from updates.models import Artifact, Release
from updates.recipes.artifact_fit import fit, is_installed
from updates.recipes.finding import Finding
from updates.services.planning import plan_artifact

NO_TYPE: Final = (
    "It has not said yet what type of device it is, or said one that no artifact can be for: "
    f"longer than {LONGEST_TYPE} characters, "
    "not printable, or with blanks at its ends."
)
NOT_LET_IN: Final = "It pulls its updates, and none of its keys is accepted."


@dataclass(frozen=True, slots=True)
class Choice:
    """The artifact for one device, and whether it is there already; or None, and why."""

    artifact: Artifact | None
    why_not: str = ""
    is_there: bool = False

    def required(self) -> Artifact:
        """The artifact. NotCompatible, with the reason, when there is none."""
        if self.artifact is None:
            raise NotCompatible(self.why_not)
        return self.artifact


def artifacts_of(release: Release) -> list[Artifact]:
    """The artifacts of a release, newest first: where two fit a device, for once that was not refused, the newer is taken."""
    return list(release.artifacts.select_related("signed_by").order_by("-uploaded_at", "-pk"))


def choose(artifacts: Sequence[Artifact], device: Device, *, signed_only: str = "") -> Choice:
    """The first of `artifacts` that fits the device as the portal knows it now.

    `signed_only` names the group for which only a signed one counts; empty: there is none.
    """
    if device.device_type == UNKNOWN_TYPE:
        return Choice(None, why_not=NO_TYPE)
    misfits: list[tuple[bool, str]] = []
    for artifact in artifacts:
        plan = plan_artifact(artifact=artifact, device=device, update_module=None)
        findings = [*fit(plan), *signature_finding(artifact, signed_only)]
        misfit = next((finding.says for finding in findings if not finding.ok), "")
        if not misfit:
            return Choice(artifact, is_there=is_installed(plan))
        misfits.append((device.device_type in artifact.device_types, misfit))
    return Choice(None, why_not=_why_none(artifacts, device, misfits))


def nearest(artifacts: Sequence[Artifact], device: Device) -> Artifact:
    """The one that fits; else the one to say why not about: one for the device's type, or the first. Refused if there is none."""
    if not artifacts:
        raise Refused("The release has no artifact.")
    of_its_type = [row for row in artifacts if device.device_type in row.device_types]
    return choose(artifacts, device).artifact or (of_its_type or artifacts)[0]


def signature_finding(artifact: Artifact, signed_only: str) -> list[Finding]:
    """Whether a trusted key signed it, for a device of the group `signed_only`; nothing where there is no such group."""
    if not signed_only:
        return []
    if artifact.signed_by_id is not None:
        says = f"A trusted key signed it, as the group {signed_only} asks."
        return [Finding("signature", ok=True, says=says)]
    how = "is signed by a key that nobody here trusts" if artifact.is_signed else "is not signed"
    says = f"The group {signed_only} takes signed artifacts only, and this one {how}."
    return [Finding("signature", ok=False, says=says)]


def refuse_withdrawn(release: Release) -> None:
    """Nothing, or Refused with the reason why it was withdrawn."""
    if release.withdrawn_at is not None:
        raise Refused(
            f"{release} was withdrawn by {release.withdrawn_by}: {release.withdrawn_reason}"
        )


def _why_none(
    artifacts: Sequence[Artifact], device: Device, misfits: list[tuple[bool, str]]
) -> str:
    if not misfits:
        return "The release has no artifact."
    of_its_type = [says for is_for_type, says in misfits if is_for_type]
    if of_its_type:
        return of_its_type[0]
    if len(misfits) == 1:
        return misfits[0][1]
    types = sorted({word for artifact in artifacts for word in artifact.device_types})
    return f"It is for {' or '.join(types)}; the device has {device.device_type}."
