"""Something goes wrong as an upgrade enters a state: its worker, a process of its own, stops at the door until that has begun."""

from __future__ import annotations

import os
import signal
import time
import warnings
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Protocol

from django.db import connections

from devices.drivers.shell import Shell
from tests.environment.waiting import wait_until
from updates.machine import Event, State
from updates.models import Upgrade
from updates.runner import Context, Recipe, Step
from updates.services.carry_out import Ending, carry_out

PATIENCE_SECONDS = 300
AWAY_SECONDS = 3.0
MIDDLE_SECONDS = 0.4
"""How long a worker that is killed has been at work in the state."""
ENDINGS = list(Ending)


class MakeRecipe(Protocol):
    """What a kind's job makes of an upgrade; its ways are open until `ways` is closed."""

    def __call__(self, upgrade: Upgrade, shell: Shell, *, ways: ExitStack) -> Recipe: ...


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong: `begin` at the door of the state, `end` when the device and the portal have had to do with it.

    A worker that is killed `dies`, once it has come as far as `middle` waits for, and another one goes on.
    """

    name: str
    begin: Callable[[], object] = lambda: None
    end: Callable[[], object] = lambda: None
    dies: bool = False
    middle: Callable[[], object] = lambda: time.sleep(MIDDLE_SECONDS)
    passes: bool = False
    """Whether it is over by itself after `AWAY_SECONDS`, or only after the upgrade."""


@dataclass(frozen=True, slots=True)
class Job:
    """How upgrades of one kind are carried out: with which recipe, and by another worker after one that died."""

    make_recipe: MakeRecipe
    run: Callable[[str], object]

    def meets(self, fault: Fault, *, upgrade: Upgrade, state: State) -> None:
        """The upgrade is over, and so is the fault, which it met in that state if it came there."""
        worker = DoorWorker(upgrade, state, self.make_recipe)
        is_on = False
        try:
            if worker.arrives():
                fault.begin()
                is_on = True
                worker.let_in()
                if fault.dies:
                    fault.middle()
                    worker.kill()
                    self._finish(upgrade)
                elif fault.passes:
                    time.sleep(AWAY_SECONDS)
                    fault.end()
                    is_on = False
            worker.wait()
        finally:
            worker.kill()
            if is_on:
                fault.end()
        upgrade.refresh_from_db()

    def _finish(self, upgrade: Upgrade) -> None:
        """Another worker has taken the upgrade to its end, as soon as the lease of the first one had lapsed."""

        def is_over() -> bool:
            self.run(str(upgrade.pk))
            upgrade.refresh_from_db()
            return upgrade.state == State.FINISHED

        wait_until(is_over, seconds=PATIENCE_SECONDS, what="the end of the upgrade")


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

    def __init__(self, upgrade: Upgrade, state: State, make_recipe: MakeRecipe) -> None:
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
                ending = _carry_out(upgrade, state, make_recipe, self._wait_at_the_door)
                status = ENDINGS.index(ending)
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


def _carry_out(
    upgrade: Upgrade, state: State, make_recipe: MakeRecipe, wait: Callable[[], None]
) -> Ending:
    with ExitStack() as ways:

        def made(fresh: Upgrade, shell: Shell) -> Recipe:
            return AtTheDoor(make_recipe(fresh, shell, ways=ways), state, wait)

        return carry_out(
            str(upgrade.pk), make_recipe=made, worker="worker-1", wants_leave=lambda: False
        )
