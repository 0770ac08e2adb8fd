"""What goes wrong in the middle of a patch: nodes and workers that die, folders that take nothing, code that does not load."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from django.db import connections
from pytest_django import Settings

from patches.jobs import run_patch
from patches.models import Application, KeptFiles
from patches.services.recipes import patch_recipe
from tests.environment.erlang import EBIN
from tests.environment.programs import need_root, program
from tests.environment.waiting import wait_until
from tests.journal.rows import states
from tests.patches.bay import COUNTER, GREETING, Bay, statuses, who
from tests.patches.dying import dies_at
from updates.errors import TargetBusy
from updates.machine import Outcome, State
from updates.models import Upgrade
from updates.runner import Context, Recipe, Step
from updates.services.carry_out import carry_out
from updates.services.upgrades import cancel_upgrade, roll_back_upgrade

pytestmark = pytest.mark.database(transaction=True)

SLOW = """
-module(bay_greeting).
-export([answer/0]).
-on_load(wait/0).
wait() -> timer:sleep(3000), ok.
answer() -> 2.
"""
FAILING = SLOW.replace("timer:sleep(3000), ok", '{error, "not today"}')
GOOD = [
    "checking", "backing_up", "downloading", "installing", "restarting", "verifying", "committing", "committed",
    "cleaning", "finished",
]  # fmt: skip


@contextmanager
def taking_nothing(folder: Path) -> Iterator[None]:
    """A folder that takes no change, not even of root."""
    chattr = program("chattr", package="e2fsprogs")
    need_root("an immutable folder")
    if subprocess.run([chattr, "+i", str(folder)], capture_output=True, check=False).returncode:
        pytest.skip("the file system knows no immutable folders")
    try:
        yield
    finally:
        subprocess.run([chattr, "-i", str(folder)], check=True)


class Dying:
    """A recipe whose worker is killed right before or right after a state's step."""

    def __init__(self, recipe: Recipe, *, state: State, when: str) -> None:
        self._recipe, self._state, self._when = recipe, state, when

    def step(self, state: State) -> Step | None:
        step = self._recipe.step(state)
        if state is not self._state:
            return step

        def die(context: Context) -> None:
            if self._when == "after" and step:
                step(context)
            os.kill(os.getpid(), signal.SIGKILL)

        return die  # type: ignore[return-value]


def killed_worker(upgrade: Upgrade, *, state: State, when: str) -> None:
    """A worker took the upgrade as far as that, and is dead."""

    def work() -> None:
        with ExitStack() as ways:
            carry_out(
                str(upgrade.pk),
                make_recipe=lambda row, _: Dying(
                    patch_recipe(row, ways=ways), state=state, when=when
                ),
                worker="dying",
                wants_leave=lambda: False,
            )

    dies_at(work)


def finished_by_another(upgrade: Upgrade) -> Upgrade:
    """The next worker went on as soon as the dead one's lease had lapsed."""
    wait_until(
        lambda: run_patch(str(upgrade.pk)) == "finished", seconds=20, what="the end of the upgrade"
    )
    upgrade.refresh_from_db()
    return upgrade


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    "state", [State.CHECKING, State.BACKING_UP, State.INSTALLING, State.VERIFYING], ids=str
)
def test_a_worker_that_dies_changes_nothing_about_the_end(
    bay: Bay, settings: Settings, state: State, when: str
) -> None:
    settings.LEASE_SECONDS, settings.HEARTBEAT_SECONDS = 1, 0.3
    patch = bay.patch()
    bay.check(patch)
    upgrade = bay.order(patch)

    killed_worker(upgrade, state=state, when=when)
    finished_by_another(upgrade)

    assert (upgrade.outcome, upgrade.unchanged) == (Outcome.SUCCEEDED, False), upgrade.error
    assert states(upgrade)[1:] == GOOD
    assert bay.answers() == [2, 2]
    assert all(row[GREETING] == row[COUNTER] == 6 for row in statuses(upgrade).values())
    undo = bay.run(
        roll_back_upgrade(upgrade=upgrade, actor=who("updates.roll_back_upgrade"), reason="back")
    )
    assert undo.outcome == Outcome.SUCCEEDED, undo.error
    assert bay.answers() == [1, 1]


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_worker_that_dies_on_the_way_back_changes_nothing_either(
    bay: Bay, settings: Settings, when: str
) -> None:
    settings.LEASE_SECONDS, settings.HEARTBEAT_SECONDS = 1, 0.3
    patch = bay.patch()
    bay.check(patch)
    upgrade = bay.order(patch)

    with taking_nothing(bay.nodes[1].root / EBIN):
        killed_worker(upgrade, state=State.ROLLING_BACK, when=when)
    finished_by_another(upgrade)

    assert upgrade.outcome == Outcome.ROLLED_BACK, upgrade.error
    assert bay.answers() == [1, 1]


def test_a_folder_that_takes_nothing_sends_all_nodes_back(bay: Bay) -> None:
    patch = bay.patch()
    bay.check(patch)

    with taking_nothing(bay.nodes[1].root / EBIN):
        upgrade = bay.run(bay.order(patch))

    assert upgrade.outcome == Outcome.ROLLED_BACK, upgrade.error
    assert bay.row(bay.nodes[1]).name in upgrade.error
    assert bay.answers() == [1, 1]
    assert bay.nodes[0].call("bay_counter", "step") == 1
    assert Application.objects.get().standing == Application.Standing.NOT_APPLIED


def test_code_that_fails_at_its_load_leaves_the_old_one_and_asks_for_a_person(bay: Bay) -> None:
    upgrade = bay.apply(bay.patch({GREETING: bay.world.compile(FAILING)}))

    assert upgrade.outcome == Outcome.SUCCEEDED
    assert list(statuses(upgrade).values()) == [{GREETING: 4}] * 2
    assert bay.answers() == [1, 1]
    bay.nodes[0].restart()
    assert bay.answers() == [1, 1], "what cannot be loaded is not on the disk"


@contextmanager
def during_installing(upgrade: Upgrade, deed: Callable[[], object]) -> Iterator[None]:
    """`deed` is done by a thread as soon as the upgrade is INSTALLING. What it starts lives as long as the block."""
    is_over = threading.Event()

    def run() -> None:
        try:
            wait_until(
                lambda: Upgrade.objects.get(pk=upgrade.pk).state == State.INSTALLING,
                seconds=20,
                what="the installing",
            )
            deed()
        finally:
            connections.close_all()
        is_over.wait()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def test_a_node_that_dies_while_it_applies_gets_everything_back_when_it_returns(bay: Bay) -> None:
    patch = bay.patch({GREETING: bay.world.compile(SLOW)})
    bay.check(patch)
    upgrade = bay.order(patch)
    victim = bay.nodes[1]

    with during_installing(upgrade, victim.restart):
        bay.run(upgrade)

        assert upgrade.outcome == Outcome.ROLLED_BACK, upgrade.error
        assert bay.answers() == [1, 1]


def test_a_node_that_stays_dead_leaves_the_upgrade_broken(bay: Bay, settings: Settings) -> None:
    settings.PATCH_AWAY_SECONDS = 1
    patch = bay.patch({GREETING: bay.world.compile(SLOW)})
    bay.check(patch)
    upgrade = bay.order(patch)

    with during_installing(upgrade, bay.nodes[1].stop):
        bay.run(upgrade)

    assert upgrade.outcome == Outcome.BROKEN, upgrade.error
    assert bay.nodes[0].call("bay_greeting", "answer") == 1, "the others have it back"
    assert Application.objects.get().standing == Application.Standing.BROKEN


def test_two_operators_who_apply_at_once(bay: Bay) -> None:
    """One of them is told that the other was faster, and nothing is applied twice."""
    patches = [
        bay.patch(name="one"),
        bay.patch({COUNTER: bay.world.compiled("bay_counter", v=3)}, name="two"),
    ]
    for patch in patches:
        bay.check(patch)
    actors = [who("patches.apply_patch") for _ in patches]
    said: list[object] = []
    start = threading.Barrier(2)

    def order(number: int) -> None:
        try:
            start.wait()
            said.append(bay.order(patches[number], actor=actors[number]))
        except TargetBusy as error:
            said.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=order, args=[number]) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(type(one).__name__ for one in said) == ["TargetBusy", "Upgrade"]
    assert Upgrade.objects.count() == 1


def test_nothing_was_changed_where_nothing_could_be_kept(bay: Bay) -> None:
    """Loaded code that is not that of its file cannot be kept, so it is not replaced."""
    drifted = bay.nodes[0]
    patch = bay.patch()
    bay.check(patch)
    upgrade = bay.order(patch)
    (drifted.root / GREETING).write_bytes(bay.world.compiled("bay_greeting", v=7))

    bay.run(upgrade)

    assert upgrade.outcome == Outcome.FAILED, upgrade.error
    assert "what is there now" in upgrade.error
    assert drifted.call("bay_greeting", "answer") == 1
    assert bay.nodes[1].call("bay_greeting", "answer") == 1
    assert not KeptFiles.objects.filter(node=bay.row(drifted)).exists()


def test_a_cancel_before_the_nodes_were_touched(bay: Bay) -> None:
    patch = bay.patch()
    bay.check(patch)
    upgrade = bay.order(patch)

    cancel_upgrade(upgrade=upgrade, actor=who("updates.cancel_upgrade"))
    bay.run(upgrade)

    assert upgrade.outcome == Outcome.CANCELLED
    assert bay.answers() == [1, 1]
    assert Application.objects.get().standing == Application.Standing.NOT_APPLIED
