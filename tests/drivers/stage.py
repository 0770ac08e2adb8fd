"""One step on one device, as a test sees it from outside."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from devices.drivers.shell import Shell
from devices.drivers.steps import Holder, StepSpec, run_step
from tests.drivers.device import Device, living
from tests.environment.waiting import wait_until

KEY = "0007-ArtifactInstall"

# Says that it began, waits for the word to end, and says so.
BEGINS_AND_WAITS = """
echo ran >>"$1/runs"; echo begun
until [ -e "$1/end" ]; do sleep 0.05; done
echo ended; exit "${2:-0}"
"""


class Cancelled(Exception):
    """What a caller raises to stop waiting."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One device with one step on it, as a test sees it from outside."""

    device: Device
    root: Path

    def step(self, script: str = BEGINS_AND_WAITS, *words: str, key: str = KEY) -> StepSpec:
        command = ["sh", "-c", script, "step", str(self.root), *words]
        return StepSpec(key=key, command=command, cwd=str(self.root))

    def holder(self, fence: int = 1, upgrade: str = "upgrade-7") -> Holder:
        return Holder(
            fence=fence,
            work_root=str(self.root / "work"),
            upgrade=upgrade,
            retry_seconds=(0.1, 0.3),
            kill_after_seconds=0.5,
        )

    def file(self, name: str, key: str = KEY) -> Path:
        return self.root / "work" / "upgrade-7" / "steps" / key / name

    def runs(self) -> int:
        runs = self.root / "runs"
        return len(runs.read_text().splitlines()) if runs.exists() else 0

    def end(self) -> None:
        (self.root / "end").touch()

    def await_begun(self) -> None:
        wait_until(lambda: self.runs() == 1, seconds=20, what="the step begins")

    def living(self) -> list[str]:
        return living(str(self.root))


def leave_running(shell: Shell, stage: Stage) -> None:
    def on_output(_: bytes) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        run_step(shell, stage.step(), holder=stage.holder(), limit_seconds=30, on_output=on_output)
    stage.await_begun()
