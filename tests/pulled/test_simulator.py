"""A fleet of pretend devices and a portal that really runs: both count the same, to the device."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.portal_process import ROOT
from tests.running.portal_up import PortalUp

pytestmark = pytest.mark.e2e

DEVICES = 12
LIMIT_SECONDS = 300
QUICK = ("--poll", "0.5", "--install", "0.1", "--until-idle", "--json")


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PortalUp]:
    var = tmp_path_factory.mktemp("portal") / "var"
    running = PortalUp(var=var, env={"DATABASE_URL": f"sqlite:///{var / 'fleetwright.sqlite3'}"})
    running.wait_until_ready()
    yield running
    running.end()


def manage(portal: PortalUp, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "manage.py", *words],
        cwd=ROOT, env=portal.env, capture_output=True, text=True, check=False, timeout=LIMIT_SECONDS,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def simulate(portal: PortalUp, *words: str, devices: int = DEVICES) -> dict[str, Any]:
    server = f"http://127.0.0.1:{portal.port}"
    said = manage(portal, "simulate", "--server", server, "--devices", str(devices), *QUICK, *words)
    found: dict[str, Any] = json.loads(said)
    return found


def deploy(portal: PortalUp, name: str, folder: Path) -> str:
    """The id of an order to every device to install a new artifact."""
    payload, file = folder / "payload", folder / f"{name}.mender"
    payload.write_text(name)
    manage(
        portal, "artifact", "write", "module-image", "--type", "single-file", "--device-type", "simulated",
        "--artifact-name", name, "--file", str(payload), "--output-path", str(file),
    )  # fmt: skip
    manage(portal, "artifact", "upload", str(file))
    made = manage(portal, "deploy", name, "--all", "--reason", "test", "--json")
    return str(json.loads(made)["id"])


def outcomes(portal: PortalUp, deployment: str) -> dict[str, int]:
    shown = json.loads(manage(portal, "deployment", "show", deployment, "--json"))
    assert shown["counts"]["is_over"]
    counted: dict[str, int] = shown["counts"]["outcomes"]
    return {outcome: count for outcome, count in counted.items() if count}


def test_a_fleet_and_the_portal_count_the_same(portal: PortalUp, tmp_path: Path) -> None:
    came = simulate(portal, "--accept")
    assert came["counts"]["let in"] == DEVICES
    assert came["counts"]["offered"] == 0
    first = deploy(portal, "kiosk-2", tmp_path)
    did = simulate(portal, "--failure-rate", "0.4")
    assert did["troubles"] == {}
    counts = did["counts"]
    assert counts["offered"] == DEVICES == counts["succeeded"] + counts["failed"]
    assert 0 < counts["failed"] < DEVICES
    assert outcomes(portal, first) == {
        "succeeded": counts["succeeded"],
        "rolled_back": counts["failed"],
    }

    again = simulate(portal)
    assert (again["counts"]["let in"], again["counts"]["offered"]) == (DEVICES, 0)
    second = deploy(portal, "kiosk-3", tmp_path)
    assert simulate(portal, "--failure-rate", "0")["counts"]["succeeded"] == DEVICES
    assert outcomes(portal, second) == {"succeeded": DEVICES}
