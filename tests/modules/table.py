"""What goes wrong in the middle of a module's update, and what the device has afterwards: exactly the old, or exactly the new."""

from __future__ import annotations

from dataclasses import dataclass

from tests.environment.waiting import wait_until
from tests.failures.door import Fault, Job
from tests.modules.host import Host, Standing, ordered, taken_back, updated
from tests.modules.mymodule import FAIL, Tree, script
from tests.modules.stage import Stage
from updates.jobs import run_module
from updates.machine import Outcome, State
from updates.models import Instance, Upgrade
from updates.services.module_recipes import module_recipe

JOB = Job(module_recipe, run_module)
OLD: Tree = {"imageroot/etc/old.conf": "old\n"}
NEW: Tree = {
    "imageroot/etc/new.conf": "new\n",
    # Long enough to be met in the middle.
    "imageroot/update-module.d/10migrate": script("#!/bin/sh\nsleep 1\necho NEW=1 >>environment\n"),
}
FAILING: Tree = {**NEW, "imageroot/update-module.d/15fail": script(FAIL)}
UNWELL: Tree = {
    **NEW,
    "imageroot/update-module.d/30stop": script("#!/bin/sh\nsystemctl --user stop mymodule\n"),
}
REFUSED: Tree = {**NEW, "imageroot/actions/update-module/05pullimages": script("#!/bin/sh\n")}
WAY_BACK = (State.ROLLING_BACK, State.ROLLBACK_RESTARTING, State.ROLLBACK_VERIFYING, State.FAILING)


@dataclass(frozen=True, slots=True)
class Cell:
    """One state, and what goes wrong in it."""

    state: State
    fault: Fault
    image: str

    def __str__(self) -> str:
        return f"{self.state}, {self.fault.name}"


@dataclass(slots=True)
class Bench:
    """An instance with its old version; what it looks like, and what it looks like when an update went well."""

    host: Host
    stage: Stage
    instance: Instance
    old: Standing
    new: Standing

    @classmethod
    def set_up(cls, host: Host, stage: Stage) -> Bench:
        """The instance is there, was updated and taken back."""
        module = stage.module
        instance = host.install(module.build("1.8.0", OLD))
        old = host.stands(instance)
        done = updated(instance, module.build("2.8.0", NEW))
        assert done.outcome == Outcome.SUCCEEDED, done.error
        new = host.stands(instance)
        assert taken_back(done).outcome == Outcome.SUCCEEDED
        assert host.stands(instance).differs(old) == []
        return cls(host, stage, instance, old, new)

    def image(self, state: State) -> str:
        """What is ordered so that the state comes about."""
        module = self.stage.module
        if state in WAY_BACK:
            return module.build("3.8.0", FAILING)
        return module.build("2.8.0", NEW)

    def carry_out(self, cell: Cell) -> Upgrade:
        """The upgrade of that cell, over; the fault is over, too. The engine has nothing of what is ordered before."""
        version = cell.image.rpartition(":")[2]
        services = [self.stage.module.service(name, version) for name in ("web", "worker")]
        self.stage.module.forget(cell.image, *services)
        upgrade = ordered(self.instance, cell.image)
        JOB.meets(cell.fault, upgrade=upgrade, state=cell.state)
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
                lambda: self.host.answer(self.instance) == wanted.answer, seconds=20, what="answer"
            )
        except TimeoutError:
            return f"the service does not answer {wanted.answer}"
        return "; ".join(self.host.stands(self.instance).differs(wanted))

    def make_old(self, upgrade: Upgrade) -> None:
        """The old version is there again, in the way that operators have; nothing to do where it is."""
        if upgrade.outcome == Outcome.SUCCEEDED:
            back = taken_back(upgrade)
            assert back.outcome == Outcome.SUCCEEDED, back.error
        assert self.host.stands(self.instance).differs(self.old) == []
