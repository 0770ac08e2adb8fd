"""What stays of an upgrade on its device, and what does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.transitions.played import FolderDevice, carried_out, order
from updates.machine import Outcome

pytestmark = pytest.mark.database

GOOD = {"rollback": "Yes", "reboot": "No"}


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
