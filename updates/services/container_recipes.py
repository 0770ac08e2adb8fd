"""The recipe of a container upgrade, with the device's engine, its registries and the portal's settings behind it."""

from __future__ import annotations

from contextlib import ExitStack

from django.conf import settings

from devices import services as devices
from devices.drivers.engine import Engine
from devices.drivers.shell import Shell
from devices.errors import NoSuchVolume
from devices.services.engines import opened_engine
from portal.core import clock
from updates.models import Upgrade
from updates.plan import ContainerPlan
from updates.recipes.container.assembly import assembled
from updates.recipes.container.data_places import is_folder
from updates.recipes.container.recipe import ContainerRecipe, Surroundings
from updates.recipes.engine_images import in_full
from updates.services.module_recipes import health_gate, images_of, needed_by_others, ways_back


def container_recipe(upgrade: Upgrade, shell: Shell, *, ways: ExitStack) -> ContainerRecipe:
    """The recipe for the upgrade's plan. The ways to the engine and to the device's ports stay open until `ways` is closed."""
    plan = ContainerPlan.from_json(upgrade.plan)
    engine = ways.enter_context(opened_engine(upgrade.device))
    dial = ways.enter_context(devices.dialled(upgrade.device))
    return assembled(
        plan,
        shell,
        engine,
        images=images_of(plan, engine),
        around=Surroundings(
            gate=health_gate(shell, engine, dial),
            before_stop=lambda context: context.tick(),
            ways_back=lambda: ways_back(upgrade),
            needed=lambda: in_full(needed_by_others(plan)),
            place_of=lambda volume: mountpoint(engine, volume),
            now=clock.now,
        ),
        kill_after_seconds=settings.KILL_AFTER_SECONDS,
    )


def mountpoint(engine: Engine, volume: str) -> str:
    """Where the contents of a volume lie on the engine's device; a folder lies where it says. NoSuchVolume."""
    if is_folder(volume):
        return volume
    found = engine.volume(volume)
    if found is None:
        raise NoSuchVolume(f"The engine has no volume {volume}.")
    return found.mountpoint
