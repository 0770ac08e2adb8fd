"""Mender's transition table, whole: error, time-out and power loss in each state, with an Update Module that keeps a record."""

from __future__ import annotations

import pytest
from pytest_django import Settings

from tests.transitions.played import FolderDevice, carried_out, order
from tests.transitions.rows import Row, endless, table
from updates.machine import Outcome
from updates.services.carry_out import Ending

pytestmark = pytest.mark.database

LIMIT_SECONDS = 1.5
"""Time enough for a call to begin, on a machine that has other things to do."""


def demand(row: Row, device: FolderDevice) -> None:
    assert device.log() == list(row.calls)
    assert device.provides() == row.provides
    if row.outcome != Outcome.BROKEN:
        assert device.is_changed() == (row.outcome == Outcome.SUCCEEDED)


@pytest.mark.parametrize("row", table(), ids=str)
def test_a_fault_leads_where_the_table_says(
    row: Row, device: FolderDevice, settings: Settings
) -> None:
    if row.fault == "hang":
        limits = {**settings.STATE_LIMIT_SECONDS, row.state: LIMIT_SECONDS}
        settings.STATE_LIMIT_SECONDS = limits
    upgrade = order(device, row.behaviour)

    assert carried_out(device, upgrade) is Ending.FINISHED

    assert upgrade.outcome == row.outcome, upgrade.error
    demand(row, device)
    assert bool(upgrade.warning) == (row.fault != "cut" and "Cleanup" in row.word)


@pytest.mark.parametrize("row", list(endless()), ids=str)
def test_what_never_ends_is_stopped_and_needs_a_person(
    row: Row, device: FolderDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("updates.journal.database.REPEAT_LIMIT", 3)
    upgrade = order(device, row.behaviour)

    assert carried_out(device, upgrade) is Ending.FINISHED

    assert (upgrade.outcome, upgrade.error_state) == (Outcome.BROKEN, "installing")
    demand(row, device)
