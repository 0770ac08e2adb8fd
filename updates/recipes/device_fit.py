"""Whether a device is ready for an artifact, found out by looking: what has to be there, and how much room there is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from devices.drivers.shell import Shell
from updates.machine import State
from updates.plan import ArtifactPlan, Mode
from updates.recipes.finding import Finding

ROOM: Final = dict.fromkeys(
    (
        State.COMMITTED,
        State.ROLLING_BACK,
        State.ROLLBACK_RESTARTING,
        State.ROLLBACK_VERIFYING,
        State.FAILING,
        State.CLEANING,
    ),
    2**20,
)
"""What is put aside, in bytes, for each state that has to be gone through when the disk is full, too."""
SPARE_BYTES: Final = sum(ROOM.values()) + 10 * 2**20
NEEDED_COMMANDS: Final = (
    "cat",
    "find",
    "flock",
    "head",
    "kill",
    "ls",
    "mkdir",
    "mkfifo",
    "mv",
    "rm",
    "setsid",
    "stat",
    "tail",
    "tar",
)
SHORT_SECONDS: Final = 30.0


def look_at(shell: Shell, plan: ArtifactPlan, *, module_path: str, tree: str) -> Iterator[Finding]:
    """A finding for each thing that the plan needs of the device itself. Nothing is changed there."""
    missing = _missing_commands(shell)
    yield Finding(
        "commands",
        ok=not missing,
        says=f"The device lacks {', '.join(missing)}." if missing else "It has what we need.",
    )
    yield _module_finding(shell, plan, module_path)
    if plan.mode is Mode.RESTORE:
        yield _kept_finding(shell, tree)
    else:
        yield _space_finding(shell, plan)


def _missing_commands(shell: Shell) -> list[str]:
    script = 'for word; do command -v "$word" >/dev/null || echo "$word"; done'
    command = ["sh", "-c", script, "sh", *NEEDED_COMMANDS]
    return shell.run(command, limit_seconds=SHORT_SECONDS).output.decode(errors="replace").split()


def _module_finding(shell: Shell, plan: ArtifactPlan, path: str) -> Finding:
    what, name = "Update Module", plan.payload_type
    if not name:
        return Finding(what, ok=True, says="It has no payload, so no Update Module is needed.")
    if plan.update_module is not None:
        version = plan.update_module.version
        return Finding(what, ok=True, says=f"The portal brings {name} v{version} along.")
    if shell.run(["test", "-x", path], limit_seconds=SHORT_SECONDS).status == 0:
        return Finding(what, ok=True, says=f"The device has {name}.")
    says = f"Neither the portal nor the device ({path}) has an Update Module for {name}."
    return Finding(what, ok=False, says=says)


def _kept_finding(shell: Shell, tree: str) -> Finding:
    kept = shell.run(["test", "-d", tree], limit_seconds=SHORT_SECONDS).status == 0
    says = f"What the upgrade kept is {'still' if kept else 'no longer'} on the device."
    return Finding("kept files", ok=kept, says=says)


def _space_finding(shell: Shell, plan: ArtifactPlan) -> Finding:
    free = shell.free_bytes(plan.device.work_root)
    needed = plan.unpacked_size + SPARE_BYTES
    return Finding(
        "space",
        ok=free >= needed,
        says=f"It needs {needed // 2**20} MiB; the device has {free // 2**20} MiB free.",
    )
