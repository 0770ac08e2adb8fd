"""What the watchdog says beforehand of an upgrade that nobody has ordered yet."""

from __future__ import annotations

from pathlib import Path

import pytest

from devices.drivers.local import LocalShell
from devices.errors import CommandTimedOut
from tests.containers.backup_bench import plan_for
from updates.formats.compose import pinned
from updates.recipes.container.backup_fit import BackupFit
from updates.watchdog.preflight import another_version

IMAGE = "registry.example/fleetwright"


@pytest.mark.parametrize(
    ("runs", "named", "moves"),
    [
        ("2.13.4", "2.13.4", False),
        ("2.13.4", "2.13", True),
        ("2.13.4", "2", True),
        ("2.13.4", "latest", True),
        ("2.13.4-rc.1", "2.13.4-rc.1", False),
        ("v2.13.9", "v2.13.9", False),
        ("", "2.13.4", False),
        ("a1b2c3", "stable", True),
    ],
)
def test_a_tag_is_judged_by_a_version_that_does_not_run(runs: str, named: str, moves: bool) -> None:
    target = f"{IMAGE}:{another_version(runs)}"
    said = pinned(f"{IMAGE}:{named}", target, service="web", files=["compose.yaml"])
    assert (said == "") is moves


def test_what_takes_long_to_measure_is_told_and_hinders_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "programs").mkdir()
    slow = tmp_path / "programs/du"
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", str(slow.parent), prepend=":")
    monkeypatch.setattr("updates.recipes.container.backup_fit.IN_PASSING_SECONDS", 0.5)
    monkeypatch.setattr("updates.recipes.container.backup_fit.MEASURE_SECONDS", 0.5)
    (tmp_path / "data").mkdir()
    plan = plan_for(tmp_path / "work", tmp_path / "backups", volumes=["data"])

    def findings(*, in_passing: bool) -> dict[str, tuple[bool, bool]]:
        fit = BackupFit(plan, LocalShell(), place_of=lambda _: str(tmp_path / "data"))
        return {one.what: (one.ok, one.warns) for one in fit.findings(in_passing=in_passing)}

    assert findings(in_passing=True)["backup room"] == (True, True)
    with pytest.raises(CommandTimedOut):
        findings(in_passing=False)
