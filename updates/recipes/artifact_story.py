"""What the artifact recipe will do in each state, said before it is done. Pure; it changes together with the recipe."""

from __future__ import annotations

from dataclasses import dataclass

from updates.machine import State
from updates.plan import ArtifactPlan


@dataclass(frozen=True, slots=True)
class Known:
    """What the Update Module answered when it was used last; None when nobody knows yet."""

    supports_rollback: bool | None = None
    needs_reboot: str | None = None


def story(plan: ArtifactPlan, known: Known) -> dict[State, str]:
    """A sentence or two for each state in which an INSTALL of `plan` has something to do, in the machine's order."""
    size = _size(plan.unpacked_size)
    return {
        State.CHECKING: (
            f"Device type and what it provides are compared, and {size} of room are asked for. Nothing is changed. "
            "It ends here, as unchanged, where the artifact is installed already."
        ),
        State.DOWNLOADING: f"{size} of files go to {plan.device.work_root}. {_module(plan)}",
        State.INSTALLING: f"The Update Module {plan.payload_type} is called with ArtifactInstall.{_scripts(plan)}",
        State.RESTARTING: _restart(known),
        State.VERIFYING: "After a restart, ArtifactVerifyReboot has to agree."
        + (" Then it waits until somebody commits it or cancels it." if plan.holds else ""),
        State.COMMITTING: "ArtifactCommit makes the change permanent. From here on a cancel is too late.",
        State.CLEANING: "Cleanup; the files stay on the device for a while, so that the change can be rolled back.",
        State.ROLLING_BACK: _rollback(known),
    }


def _module(plan: ArtifactPlan) -> str:
    if plan.update_module is None:
        return f"The device's own Update Module {plan.payload_type} is used."
    return f"The portal brings the Update Module {plan.payload_type} v{plan.update_module.version} along."


def _scripts(plan: ArtifactPlan) -> str:
    if not plan.scripts:
        return ""
    return f" The artifact's state scripts run before and after, here and in later states: {', '.join(plan.scripts)}."


def _restart(known: Known) -> str:
    if known.needs_reboot is None:
        return "Only if the Update Module asks for it: nobody knows before its first use."
    if known.needs_reboot == "No":
        return "No restart, if it answers as it did the last time."
    if known.needs_reboot == "Automatic":
        return "The device is rebooted, if it answers as it did the last time."
    return "The Update Module restarts what it has to, if it answers as it did the last time."


def _rollback(known: Known) -> str:
    if known.supports_rollback is None:
        return (
            "If anything fails up to here, ArtifactRollback puts back what was there, provided that the Update Module "
            "supports it: nobody knows before its first use. If not, the device ends as broken."
        )
    if known.supports_rollback:
        return "If anything fails after the download, ArtifactRollback puts back what was there before."
    return (
        "This Update Module knows no way back: if the installation fails, the device ends as broken, "
        "and a person is needed."
    )


def _size(count: int) -> str:
    if count < 2**10:
        return f"{count} bytes"
    return f"{count / 2**20:.1f} MiB" if count >= 2**20 else f"{count / 2**10:.1f} KiB"
