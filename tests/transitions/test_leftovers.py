"""What stays of an upgrade on its device, and what does not."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from pytest_django import Settings

from tests.transitions.played import FolderDevice, carried_out, order
from updates.machine import Outcome

pytestmark = pytest.mark.database

GOOD = {"rollback": "Yes", "reboot": "No"}
NEXT_YEAR_SECONDS = 400 * 86400


def test_its_own_tree_stays_whatever_the_clock_of_the_device_says(
    device: FolderDevice, settings: Settings
) -> None:
    settings.KEPT_TREES = 2
    work_root = Path(device.row.work_root)
    later = time.time() + NEXT_YEAR_SECONDS
    for name in ("first", "second", "third"):
        upgrade = order(device, GOOD, name=name)
        carried_out(device, upgrade)
        assert upgrade.outcome == Outcome.SUCCEEDED, upgrade.error
        assert (work_root / str(upgrade.pk) / "tree").exists()
        os.utime(work_root / str(upgrade.pk), (later, later))
    assert len(list(work_root.glob("*/tree"))) == 2


def test_a_cleanup_that_cannot_even_begin_leaves_nothing(device: FolderDevice) -> None:
    lock = b"#!/bin/sh\nrm step.lock && mkdir step.lock\n"
    behaviour = {**GOOD, "fail": "ArtifactInstall"}
    upgrade = order(device, behaviour, scripts=[("ArtifactFailure_Leave_00", lock)])

    carried_out(device, upgrade)

    assert upgrade.outcome == Outcome.ROLLED_BACK, upgrade.error
    assert "ArtifactFailure" in device.log()
    assert "Cleanup" not in device.log()
    assert upgrade.warning
    assert not (Path(device.row.work_root) / str(upgrade.pk)).exists()
