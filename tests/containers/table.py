"""What goes wrong in the middle of a container's upgrade, and what stands afterwards: exactly the old, or exactly the new."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from tests.containers.deployed import Deployed, Way
from tests.containers.host import Host
from tests.containers.ledger import UNWELL, V2, Version
from tests.containers.orders import ordered, taken_back
from tests.containers.standing import Standing
from tests.environment.waiting import wait_until
from tests.failures.door import Fault, Job
from updates.jobs import run_container
from updates.machine import Outcome, State
from updates.models import Upgrade, WatchedContainer
from updates.services.container_recipes import container_recipe

JOB: Final = Job(container_recipe, run_container)
HEALTH_SECONDS: Final = 6
WAY_BACK: Final = (
    State.ROLLING_BACK, State.ROLLBACK_RESTARTING, State.ROLLBACK_VERIFYING, State.FAILING,
)  # fmt: skip
STARTS_AGAIN: Final = (
    State.INSTALLING, State.RESTARTING, State.VERIFYING, *WAY_BACK[:-1],
)  # fmt: skip
"""An engine that starts again does not always start what lives in another container's network. In these states we do."""
STATES: Final = [one for one in State if one not in (State.PENDING, State.FINISHED)]
ANSWER_SECONDS: Final = 30


@dataclass(frozen=True, slots=True)
class Cell:
    """One state, and what goes wrong in it, as that version is ordered."""

    state: State
    fault: Fault
    version: Version

    def __str__(self) -> str:
        return f"{self.state}, {self.fault.name}"


@dataclass(slots=True)
class Bench:
    """A deployed ledger with its old version; what stands of it, and what stands when an operator replaces it by hand."""

    host: Host
    deployed: Deployed
    watched: WatchedContainer
    old: Standing
    new: Standing

    @classmethod
    def set_up(cls, host: Host, way: Way) -> Bench:
        """The old version runs and is watched; the new one did, without us, and is gone again with what it wrote."""
        deployed = way(host.stage, host.stage.ledger)
        host.deploy(deployed)
        deployed.up(V2)
        host.await_answer(deployed)
        new = host.stands(deployed)
        deployed.ledger.release(UNWELL)
        watched = host.watch(deployed, health_seconds=HEALTH_SECONDS)
        old = host.stands(deployed)
        return cls(host, deployed, watched, old, replace(new, others=old.others))

    def version(self, state: State) -> Version:
        """What is ordered so that the state comes about."""
        return UNWELL if state in WAY_BACK else V2

    def carry_out(self, cell: Cell) -> Upgrade:
        """The upgrade of that cell, over; the fault is over, too. The engine has nothing of what is ordered before."""
        ledger = self.deployed.ledger
        ledger.forget(ledger.reference(cell.version.number))
        upgrade = ordered(self.watched, cell.version.number)
        JOB.meets(cell.fault, upgrade=upgrade, state=cell.state)
        if cell.fault.passes and cell.state not in STARTS_AGAIN:
            self.host.start_dependants(self.deployed)
        return upgrade

    def complaint(self, upgrade: Upgrade) -> str:
        """What is not as the history says; nothing when all is."""
        if upgrade.state != State.FINISHED:
            return f"it is still {upgrade.state}"
        if upgrade.outcome == Outcome.BROKEN:
            return ""
        wanted = self.new if upgrade.outcome == Outcome.SUCCEEDED else self.old
        try:
            wait_until(
                lambda: not self.host.stands(self.deployed).differs(wanted),
                seconds=ANSWER_SECONDS,
                what="all as it should be",
            )
        except TimeoutError:
            return "; ".join(self.host.stands(self.deployed).differs(wanted))
        return ""

    def make_old(self, upgrade: Upgrade) -> str:
        """The old version is there again, in the way that operators have; what is not, where it is not."""
        if upgrade.outcome == Outcome.SUCCEEDED and not upgrade.unchanged:
            back = taken_back(upgrade)
            if back.outcome != Outcome.SUCCEEDED:
                return f"it cannot be taken back: {back.error}"
            differs = self.host.stands(self.deployed).differs(self.old)
            return f"taken back it differs: {'; '.join(differs)}" if differs else ""
        return ""


def cells(bench: Bench, *faults: Fault) -> Iterator[Cell]:
    """Each state with each of these faults."""
    for state in STATES:
        for fault in faults:
            yield Cell(state, fault, bench.version(state))
