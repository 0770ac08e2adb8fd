"""Mender's transition table, whole: error, time-out and power loss in each state, with an Update Module that keeps a record."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_django import Settings

from portal.core.actors import PORTAL
from tests.transitions.played import BEFORE, FolderDevice, carried_out, order
from tests.transitions.rows import (
    ASKED,
    END,
    TAKEN_BACK,
    Row,
    endless,
    on_a_full_disk,
    restart_back,
    table,
)
from updates.machine import Outcome
from updates.models import Upgrade
from updates.services.carry_out import Ending
from updates.services.upgrades import apply_artifact

pytestmark = pytest.mark.database

LIMITS_SECONDS = (0.4, 2, 8)
"""For a call that hangs. A limit that ends other calls too, as the machine is busy, tells nothing: then a longer one does."""
REPEATS = 3


def demand(row: Row, device: FolderDevice) -> None:
    assert device.log() == list(row.calls)
    assert device.provides() == row.provides
    if row.outcome != Outcome.BROKEN:
        assert device.is_changed() == (row.outcome == Outcome.SUCCEEDED)


def carried_out_within_a_limit(
    row: Row, folder: Path, settings: Settings
) -> tuple[FolderDevice, Upgrade]:
    """The device and its upgrade, at the first limit that was long enough for all calls but the one that hangs."""
    usual = settings.STATE_LIMIT_SECONDS
    upgrade: Upgrade | None = None
    for limit in LIMITS_SECONDS:
        settings.STATE_LIMIT_SECONDS = {**usual, row.state: limit}
        device = FolderDevice(folder / f"root-{limit}")
        upgrade = again(device, upgrade) if upgrade else order(device, row.behaviour)
        assert carried_out(device, upgrade) is Ending.FINISHED
        if device.log() == list(row.calls):
            break
    assert upgrade is not None
    return device, upgrade


def again(device: FolderDevice, upgrade: Upgrade) -> Upgrade:
    """The same artifact for another device."""
    assert upgrade.artifact is not None
    return apply_artifact(
        device=device.row, artifact=upgrade.artifact, actor=PORTAL, reason="a longer limit"
    )


@pytest.mark.parametrize("row", table(), ids=str)
def test_a_fault_leads_where_the_table_says(row: Row, tmp_path: Path, settings: Settings) -> None:
    if row.fault == "hang":
        device, upgrade = carried_out_within_a_limit(row, tmp_path, settings)
    else:
        device = FolderDevice(tmp_path / "root")
        upgrade = order(device, row.behaviour)
        assert carried_out(device, upgrade) is Ending.FINISHED

    assert upgrade.outcome == row.outcome, upgrade.error
    demand(row, device)
    assert bool(upgrade.warning) == (row.fault != "cut" and "Cleanup" in row.word)


@pytest.mark.parametrize("row", list(on_a_full_disk()), ids=str)
def test_a_full_disk_leads_where_the_table_says_and_nothing_of_ours_stays_on_it(
    row: Row, small_device: FolderDevice
) -> None:
    upgrade = order(small_device, row.behaviour)

    assert carried_out(small_device, upgrade) is Ending.FINISHED

    assert upgrade.outcome == row.outcome, upgrade.error
    demand(row, small_device)
    assert bool(upgrade.warning) == ("Cleanup" in row.word)
    left = Path(small_device.row.work_root) / str(upgrade.pk)
    kept = {"scripts", "tree"} if upgrade.outcome == Outcome.SUCCEEDED else set()
    assert {path.name for path in left.glob("*") if path.is_dir()} == kept


@pytest.mark.parametrize("row", list(endless(REPEATS)), ids=str)
def test_what_never_ends_is_stopped_and_needs_a_person_if_anything_was_changed(
    row: Row, device: FolderDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("updates.course.REPEAT_LIMIT", REPEATS)
    upgrade = order(device, row.behaviour)

    assert carried_out(device, upgrade) is Ending.FINISHED

    assert (upgrade.outcome, upgrade.error_state) == (row.outcome, row.fails_in)
    demand(row, device)


@pytest.mark.parametrize("stays_away", ["there", "there and back"])
def test_a_device_that_does_not_come_back_from_a_reboot_of_the_portals(
    stays_away: str, device: FolderDevice, settings: Settings
) -> None:
    """As a reboot that fails: forward it is rolled back, on the way back it is for ArtifactVerifyRollbackReboot to say."""
    settings.REBOOT_LIMIT_SECONDS = 1
    device.stays_away(1 if stays_away == "there" else 2)
    upgrade = order(device, {"rollback": "Yes", "reboot": "Automatic"})

    assert carried_out(device, upgrade) is Ending.FINISHED

    assert (upgrade.outcome, upgrade.error_state) == (Outcome.ROLLED_BACK, "restarting")
    assert device.log() == [*ASKED, "reboot", *TAKEN_BACK, *restart_back("Automatic"), *END]
    assert device.provides() == BEFORE
