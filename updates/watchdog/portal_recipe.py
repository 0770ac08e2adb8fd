"""The recipe of the portal's own upgrade: that of any set of containers, in the surroundings of the watchdog."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from devices.drivers.dial import dial_straight
from devices.drivers.engine import Engine
from devices.drivers.local import LocalShell
from updates.machine import Outcome
from updates.plan import ContainerPlan
from updates.recipes.container.assembly import assembled
from updates.recipes.container.recipe import ContainerRecipe, Surroundings
from updates.recipes.engine_images import Images, LoginFor
from updates.recipes.finding import Finding
from updates.recipes.health_gate import HealthGate
from updates.runner import Recipe
from updates.watchdog.drain import Drain
from updates.watchdog.folder import Folder
from updates.watchdog.limits import KILL_AFTER_SECONDS
from updates.watchdog.record import records
from updates.watchdog.succession import Succession

PASSES_IN_A_ROW: Final = 3
PAUSE_SECONDS: Final = 2.0
KEPT_WAYS_BACK: Final = 3


def portal_recipe(
    plan: ContainerPlan, engine: Engine, folder: Folder, login_for: LoginFor
) -> Recipe:
    """The recipe for an admitted plan, with the watchdog's own succession at its end."""
    return Succession(_assembled(plan, engine, folder, login_for), plan, engine)


def portal_findings(
    plan: ContainerPlan, engine: Engine, folder: Folder, login_for: LoginFor
) -> Iterator[Finding]:
    """What an upgrade by that plan would find now, without any effect, and without asking a registry."""
    return _assembled(plan, engine, folder, login_for, in_passing=True).inspect()


def _assembled(
    plan: ContainerPlan,
    engine: Engine,
    folder: Folder,
    login_for: LoginFor,
    *,
    in_passing: bool = False,
) -> ContainerRecipe:
    shell = LocalShell()
    gate = HealthGate(
        shell, engine, dial_straight, passes_in_a_row=PASSES_IN_A_ROW, pause_seconds=PAUSE_SECONDS
    )
    return assembled(
        plan,
        shell,
        engine,
        images=Images(
            engine,
            upgrade=plan.upgrade,
            force=True,  # what it runs from is on the engine under that name: only the registry knows of something newer
            ask_registry=lambda reference, platform: engine.published(
                reference, platform, login=login_for(reference)
            ),
            login_for=login_for,
        ),
        around=Surroundings(
            gate=gate,
            before_stop=Drain(plan, engine, folder),
            ways_back=lambda: ways_back(folder, plan.upgrade),
            needed=set,
            place_of=lambda _volume: str(folder.data),
            now=lambda: datetime.now(UTC),
            stage=str(folder.stage),
            in_passing=in_passing,
        ),
        kill_after_seconds=KILL_AFTER_SECONDS,
    )


def ways_back(folder: Folder, upgrade: str) -> set[str]:
    """The newest upgrades that changed the portal, or broke it and wait for somebody; what was taken back is none."""
    known = list(records(folder))
    undone = {one.plan.get("kept_of") for one in known if one.outcome == Outcome.SUCCEEDED} - {None}
    kept = [
        one.upgrade
        for one in known
        if one.outcome in (Outcome.SUCCEEDED, Outcome.BROKEN)
        and one.is_over
        and not one.unchanged
        and one.upgrade != upgrade
        and not undone & {one.upgrade, one.plan.get("kept_of")}
    ]
    return set(kept[-(KEPT_WAYS_BACK - 1) :])
