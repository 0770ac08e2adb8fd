"""What goes wrong in the middle of a module's update, and what the device has afterwards: exactly the old, or exactly the new.

The worker is a process of its own. It stops at the door of the state that is meant, until what goes wrong there has begun.
"""

from __future__ import annotations

import os
import signal
import time
import warnings
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

from django.db import connections

from devices.drivers.shell import Shell
from tests.environment.waiting import wait_until
from tests.modules.host import Host, Standing, carried_out, ordered, taken_back, updated
from tests.modules.mymodule import FAIL, Tree, script
from tests.modules.stage import Stage
from updates.machine import Event, Outcome, State
from updates.models import Instance, Upgrade
from updates.runner import Context, Recipe, Step
from updates.services.carry_out import Ending, carry_out
from updates.services.module_recipes import module_recipe

PATIENCE_SECONDS = 300
AWAY_SECONDS = 3.0
MIDDLE_SECONDS = 0.4
"""How long a worker that is killed has been at work in the state."""
ENDINGS = list(Ending)
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
class Fault:
    """What goes wrong: `begin` at the door of the state, `end` when the device and the portal have had to do with it.

    A worker that is killed `dies`, and another one goes on.
    """

    name: str
    begin: Callable[[], object] = lambda: None
    end: Callable[[], object] = lambda: None
    dies: bool = False
    passes: bool = False
    """Whether it is over by itself after `AWAY_SECONDS`, or only after the upgrade."""


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
        worker = DoorWorker(upgrade, cell.state)
        is_on = False
        try:
            if worker.arrives():
                cell.fault.begin()
                is_on = True
                worker.let_in()
                if cell.fault.dies:
                    time.sleep(MIDDLE_SECONDS)
                    worker.kill()
                    finish(upgrade)
                elif cell.fault.passes:
                    time.sleep(AWAY_SECONDS)
                    cell.fault.end()
                    is_on = False
            worker.wait()
        finally:
            worker.kill()
            if is_on:
                cell.fault.end()
        upgrade.refresh_from_db()
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


class AtTheDoor:
    """A recipe, and somebody who waits before its step in one state, once."""

    def __init__(self, recipe: Recipe, state: State, wait: Callable[[], None]) -> None:
        self._recipe = recipe
        self._state = state
        self._wait = wait
        self._has_waited = False

    def step(self, state: State) -> Step | None:
        step = self._recipe.step(state)
        if state is not self._state or self._has_waited:
            return step
        self._has_waited = True

        def waiting(context: Context) -> Event:
            self._wait()
            return step(context) if step else Event.NOTHING_TO_DO

        return waiting


class DoorWorker:
    """A worker in a process of its own, that stops at the door of a state until it is let in."""

    def __init__(self, upgrade: Upgrade, state: State) -> None:
        here, self._arrived = os.pipe()
        self._go, there = os.pipe()
        connections.close_all()  # they must not be shared with the child
        with warnings.catch_warnings():
            # The child runs nothing of the threads that its parent may have.
            warnings.simplefilter("ignore", DeprecationWarning)
            self._pid = os.fork()
        if self._pid == 0:
            status = 99
            try:
                status = ENDINGS.index(_carry_out(upgrade, state, self._wait_at_the_door))
            finally:
                os._exit(status)
        os.close(self._arrived)
        os.close(self._go)
        self._here, self._there, self._is_over = here, there, False

    def _wait_at_the_door(self) -> None:
        os.write(self._arrived, b"x")
        os.read(self._go, 1)

    def arrives(self) -> bool:
        """It stands at the door. False when it has ended without coming there."""
        found = os.read(self._here, 1)
        return found == b"x"

    def let_in(self) -> None:
        os.write(self._there, b"x")

    def kill(self) -> None:
        """It is no more; nothing happens to one that has ended."""
        if not self._is_over:
            os.kill(self._pid, signal.SIGKILL)
            self.wait()

    def wait(self) -> None:
        """It has ended."""
        if not self._is_over:
            os.waitpid(self._pid, 0)
            self._is_over = True
            os.close(self._here)
            os.close(self._there)


def _carry_out(upgrade: Upgrade, state: State, wait: Callable[[], None]) -> Ending:
    with ExitStack() as ways:

        def make_recipe(fresh: Upgrade, shell: Shell) -> Recipe:
            return AtTheDoor(module_recipe(fresh, shell, ways=ways), state, wait)

        return carry_out(
            str(upgrade.pk),
            make_recipe=make_recipe,
            worker="worker-1",
            wants_leave=lambda: False,
        )


def finish(upgrade: Upgrade) -> None:
    """Another worker has taken the upgrade to its end, as soon as the lease of the first one had lapsed."""
    wait_until(
        lambda: carried_out(upgrade).state == State.FINISHED,
        seconds=PATIENCE_SECONDS,
        what="the end of the upgrade",
    )
