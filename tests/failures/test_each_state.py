"""Each state of the machine, and what happens there to workers and by people: the path that is taken, and how it ends.

What goes wrong on the device itself is the table of tests/transitions.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.failures.played_device import Meanwhile, PlayedDevice, Worker, WorkerProcess, order
from tests.journal.rows import states
from updates.errors import TooLate
from updates.journal import request_cancel
from updates.models import Upgrade
from updates.services.carry_out import Ending

pytestmark = pytest.mark.database(transaction=True)

WORDS = {
    "downloading": "Download",
    "installing": "ArtifactInstall",
    "restarting": "ArtifactReboot",
    "verifying": "ArtifactVerifyReboot",
    "committing": "ArtifactCommit",
    "committed": "SupportsRollback",
    "rolling_back": "ArtifactRollback",
    "rollback_restarting": "ArtifactRollbackReboot",
    "rollback_verifying": "ArtifactVerifyRollbackReboot",
    "failing": "ArtifactFailure",
    "cleaning": "Cleanup",
}
FORWARD = [
    "pending", "checking", "backing_up", "downloading", "installing", "restarting", "verifying",
    "committing", "committed",
]  # fmt: skip
BACK = ["rolling_back", "rollback_restarting", "rollback_verifying", "failing"]
END = ["cleaning", "finished"]
ENDED_MEANWHILE = (
    "downloading",
    "restarting",
    "committing",
    "committed",
    "rolling_back",
    "failing",
)
"""Where, while nobody looked, the step of a killed worker comes to its end; elsewhere it still runs."""


def up_to(state: str) -> list[str]:
    return FORWARD[: FORWARD.index(state) + 1]


GOOD = [*FORWARD, *END]
UNDONE = [*up_to("installing"), *BACK, *END]


@dataclass(frozen=True, slots=True)
class Row:
    """In `state`, something goes wrong (`how`): the `path` of states and the `outcome`."""

    state: str
    how: str
    path: list[str]
    outcome: str

    @property
    def word(self) -> str:
        return WORDS[self.state]

    @property
    def behaviour(self) -> dict[str, str]:
        goes_back = self.path[:6] == UNDONE[:6] and self.state != "installing"
        return {"fail": "ArtifactInstall" if goes_back else "", "wait": self.word}

    def __str__(self) -> str:
        return f"{self.state} {self.how}, ends {self.outcome}"


def undisturbed(how: str) -> Iterator[Row]:
    """What happens to a worker is nothing that happens to the device: the path is as if nothing had been."""
    for state in (
        "downloading",
        "installing",
        "restarting",
        "verifying",
        "committing",
        "committed",
    ):
        yield Row(state, how, GOOD, "succeeded")
    for state in BACK:
        yield Row(state, how, UNDONE, "rolled_back")
    yield Row("cleaning", how, GOOD, "succeeded")
    yield Row("cleaning", how, UNDONE, "rolled_back")


def rows_that_are_cancelled() -> Iterator[Row]:
    yield Row("downloading", "cancelled", [*up_to("downloading"), *END], "cancelled")
    for state in ("installing", "restarting", "verifying"):
        yield Row(state, "cancelled", [*up_to(state), *BACK, *END], "rolled_back")


def rows_that_cannot_be_cancelled() -> Iterator[Row]:
    return (row for row in undisturbed("cancelled too late") if row.state not in FORWARD[:7])


def parametrized(rows: Iterator[Row]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("row", list(rows), ids=str)


def demand(row: Row, upgrade: Upgrade, device: PlayedDevice) -> None:
    """The upgrade took the row's path to the row's end, and no call ever ran beside another."""
    upgrade.refresh_from_db()
    assert (states(upgrade), upgrade.outcome) == (row.path, row.outcome)
    assert not device.has_overlapped()
    assert (device.root / "installed").exists() == (row.outcome == "succeeded")


@parametrized(undisturbed("worker killed"))
def test_a_worker_that_is_killed(row: Row, device: PlayedDevice, tmp_path: Path) -> None:
    """Whether the step still runs when the next worker comes, or has ended meanwhile: nothing is done twice."""
    upgrade = order(device, tmp_path, **row.behaviour)
    process = WorkerProcess(Worker(device), upgrade)
    device.await_start(row.word)
    process.kill()
    if row.state in ENDED_MEANWHILE:
        device.go()
        device.await_end(row.word)

    with Meanwhile(lambda: device.await_fence(2), device.go):
        assert Worker(device, name="worker-2").as_soon_as_free(upgrade) is Ending.FINISHED

    demand(row, upgrade, device)
    words = device.words()
    assert len(words) == len(set(words))


@parametrized(rows_that_are_cancelled())
def test_a_cancel_in_the_middle_of_a_step(row: Row, device: PlayedDevice, tmp_path: Path) -> None:
    upgrade = order(device, tmp_path, **row.behaviour)

    def cancel() -> None:
        device.await_start(row.word)
        request_cancel(str(upgrade.pk), by="ann")

    with Meanwhile(cancel):
        assert Worker(device).once(upgrade) is Ending.FINISHED

    demand(row, upgrade, device)
    assert [call.is_over for call in device.calls() if call.word == row.word] == [False]


@parametrized(rows_that_cannot_be_cancelled())
def test_a_cancel_that_comes_too_late(row: Row, device: PlayedDevice, tmp_path: Path) -> None:
    upgrade = order(device, tmp_path, **row.behaviour)
    refused: list[str] = []

    def cancel() -> None:
        device.await_start(row.word)
        try:
            request_cancel(str(upgrade.pk), by="ann")
        except TooLate as error:
            refused.append(error.code)
        device.go()

    with Meanwhile(cancel):
        assert Worker(device).once(upgrade) is Ending.FINISHED

    assert refused == [TooLate.code]
    demand(row, upgrade, device)
