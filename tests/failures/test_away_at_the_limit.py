"""A device that is away when a step's time limit comes: the step goes on there, and must not meet the way back."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_django import Settings

from devices.models import Device
from tests.drivers.sshd import RunningSshd, start_sshd
from tests.environment.ssh_fleet import let_in
from tests.environment.waiting import wait_until
from tests.failures.played_device import Meanwhile, PlayedDevice, order
from tests.journal.rows import states
from updates.machine import Outcome, State
from updates.models import Upgrade
from updates.services.carry_out import Ending, carry_out
from updates.services.planning import plan_now
from updates.services.recipes import artifact_recipe

pytestmark = pytest.mark.database(transaction=True)

PATIENCE_SECONDS = 60
LIMIT_SECONDS = 5


@pytest.fixture
def distant(device: PlayedDevice, own_sshd: RunningSshd) -> PlayedDevice:
    """The played device, behind a real sshd."""
    Device.objects.filter(pk=device.row.pk).update(
        driver=Device.Driver.SSH,
        host=own_sshd.host,
        port=own_sshd.port,
        credential=let_in(own_sshd),
        host_key=own_sshd.host_key,
    )
    device.row.refresh_from_db()
    return device


@pytest.mark.parametrize(
    ("word", "state", "outcome"),
    [
        ("ArtifactInstall", State.INSTALLING, Outcome.ROLLED_BACK),
        ("Download", State.DOWNLOADING, Outcome.FAILED),
    ],
)
def test_what_still_runs_there_is_ended_before_the_way_back(
    word: str,
    state: State,
    outcome: Outcome,
    distant: PlayedDevice,
    own_sshd: RunningSshd,
    tmp_path: Path,
    settings: Settings,
) -> None:
    settings.STATE_LIMIT_SECONDS = {**settings.STATE_LIMIT_SECONDS, state: LIMIT_SECONDS}
    upgrade = order(distant, tmp_path, wait=word, reboot="No")
    back: list[RunningSshd] = []

    def cut_and_come_back() -> None:
        distant.await_start(word)
        own_sshd.stop()
        wait_until(
            lambda: not Upgrade.objects.filter(pk=upgrade.pk, state__in=_up_to(state)).exists(),
            seconds=PATIENCE_SECONDS,
            what="the end of the state",
        )
        back.append(start_sshd(tmp_path / "sshd", port=own_sshd.port))

    try:
        with Meanwhile(cut_and_come_back):
            ending = carry_out(
                str(upgrade.pk),
                make_recipe=lambda fresh, shell: artifact_recipe(plan_now(fresh), shell),
                worker="worker-1",
                wants_leave=lambda: False,
            )
    finally:
        for running in back:
            running.stop()

    upgrade.refresh_from_db()
    assert (ending, upgrade.outcome) == (Ending.FINISHED, outcome), upgrade.error
    assert upgrade.error_state == state
    assert not distant.has_overlapped()
    assert [call.is_over for call in distant.calls() if call.word == word] == [False]
    assert states(upgrade)[-1] == State.FINISHED
    note = upgrade.events.get(text="Nothing of this call runs on the device any more.")
    assert note.call.endswith(word)


def _up_to(state: State) -> list[State]:
    everything = list(State)
    return everything[: everything.index(state) + 1]
