"""Workers that leave, sleep, or stand on a database that goes away: the device never notices."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.db import OperationalError
from pytest_django import Settings

from devices.drivers.shell import Shell
from devices.errors import CommandFailed
from devices.models import Device
from devices.services import opened
from tests.failures.played_device import Meanwhile, PlayedDevice, Worker, WorkerProcess, order
from tests.journal.rows import numbers, states
from updates.journal import DatabaseJournal
from updates.machine import Outcome, State
from updates.models import Upgrade
from updates.runner import Recipe
from updates.services.carry_out import Ending, carry_out
from updates.services.planning import plan_now
from updates.services.recipes import artifact_recipe

pytestmark = pytest.mark.database(transaction=True)

WORDS = ["Download", "ArtifactInstall", "ArtifactReboot", "ArtifactCommit", "Cleanup"]


def finish(device: PlayedDevice, upgrade: Upgrade) -> None:
    """Another worker takes the upgrade to its end, which is a good one, and nothing was done twice."""
    with Meanwhile(lambda: device.await_fence(2), device.go):
        assert Worker(device, name="worker-2").as_soon_as_free(upgrade) is Ending.FINISHED
    upgrade.refresh_from_db()
    assert upgrade.outcome == Outcome.SUCCEEDED
    assert not device.has_overlapped()
    words = device.words()
    assert len(words) == len(set(words))


@pytest.mark.parametrize("word", WORDS)
def test_a_worker_that_hands_over_leaves_the_step_running(
    word: str, device: PlayedDevice, tmp_path: Path
) -> None:
    upgrade = order(device, tmp_path, wait=word)

    def has_begun() -> bool:
        return any(call.word == word for call in device.calls())

    assert Worker(device).once(upgrade, wants_leave=has_begun) is Ending.HANDED_OVER

    upgrade.refresh_from_db()
    assert upgrade.lease_until is None
    finish(device, upgrade)
    upgrade.refresh_from_db()
    assert upgrade.repeats == 0
    assert upgrade.warning == ""


@pytest.mark.parametrize("word", ["ArtifactInstall", "Cleanup"])
def test_a_database_that_goes_away_is_nothing_that_happens_to_the_device(
    word: str, device: PlayedDevice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upgrade = order(device, tmp_path, wait=word)
    look = DatabaseJournal.tick

    def fall(journal: DatabaseJournal) -> bool:
        if any(call.word == word for call in device.calls()):
            raise OperationalError("server closed the connection unexpectedly")
        return look(journal)

    with monkeypatch.context() as patched, pytest.raises(OperationalError):
        patched.setattr(DatabaseJournal, "tick", fall)
        Worker(device).once(upgrade)

    finish(device, upgrade)


@pytest.mark.parametrize("word", WORDS)
def test_a_holder_that_slept_through_its_lease_wakes_up_and_does_nothing(
    word: str, device: PlayedDevice, tmp_path: Path
) -> None:
    upgrade = order(device, tmp_path, wait=word)
    sleeper = WorkerProcess(Worker(device), upgrade)
    device.await_start(word)
    sleeper.freeze()
    finish(device, upgrade)
    before = (numbers(upgrade), device.calls(), sorted(device.root.rglob("*")))

    assert sleeper.wake() is Ending.LOST

    assert (numbers(upgrade), device.calls(), sorted(device.root.rglob("*"))) == before


def test_a_holder_that_wakes_up_while_the_next_one_works_does_not_disturb_it(
    device: PlayedDevice, tmp_path: Path
) -> None:
    upgrade = order(device, tmp_path, wait="ArtifactInstall")
    sleeper = WorkerProcess(Worker(device), upgrade)
    device.await_start("ArtifactInstall")
    sleeper.freeze()
    endings: list[Ending] = []

    with Meanwhile(
        lambda: device.await_fence(2), lambda: endings.append(sleeper.wake()), device.go
    ):
        assert Worker(device, name="worker-2").as_soon_as_free(upgrade) is Ending.FINISHED

    assert endings == [Ending.LOST]
    upgrade.refresh_from_db()
    assert upgrade.outcome == Outcome.SUCCEEDED
    assert device.words().count("ArtifactInstall") == 1


def test_a_second_job_for_a_held_upgrade_goes_at_once(
    device: PlayedDevice, tmp_path: Path, settings: Settings
) -> None:
    settings.LEASE_SECONDS = 60
    upgrade = order(device, tmp_path, wait="ArtifactInstall")
    endings: list[Ending] = []

    def second() -> None:
        device.await_start("ArtifactInstall")
        endings.append(Worker(device, name="worker-2").once(upgrade))
        device.go()

    with Meanwhile(second):
        assert Worker(device).once(upgrade) is Ending.FINISHED
    assert endings == [Ending.HELD]
    assert Worker(device).once(upgrade) is Ending.FINISHED  # already


@pytest.mark.parametrize(
    ("state", "outcome"), [(State.PENDING, Outcome.FAILED), (State.INSTALLING, Outcome.BROKEN)]
)
def test_a_plan_that_cannot_be_read_is_a_fault_that_ends_the_upgrade(
    state: State, outcome: Outcome, device: PlayedDevice, tmp_path: Path
) -> None:
    upgrade = order(device, tmp_path)
    plan = {**upgrade.plan, "of_a_newer_version": 1}
    Upgrade.objects.filter(pk=upgrade.pk).update(state=state, plan=plan)

    def make_recipe(upgrade: Upgrade, shell: Shell) -> Recipe:
        return artifact_recipe(plan_now(upgrade), shell)

    ending = carry_out(
        str(upgrade.pk), make_recipe=make_recipe, worker="worker-1", wants_leave=lambda: False
    )

    assert ending is Ending.FINISHED
    upgrade.refresh_from_db()
    assert (upgrade.state, upgrade.outcome) == (State.FINISHED, outcome)
    assert upgrade.error_code == "BUG"
    assert states(upgrade)[-1] == State.FINISHED


def test_a_folder_that_plays_a_device_never_reboots_the_machine_it_is_on(tmp_path: Path) -> None:
    device = Device(name="folder", driver=Device.Driver.LOCAL, root=str(tmp_path))

    with opened(device) as shell, pytest.raises(CommandFailed, match="cannot be rebooted"):
        shell.reboot(limit_seconds=5)
