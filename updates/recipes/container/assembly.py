"""A container recipe put together from what every executor has: a shell where the files are, and an engine."""

from __future__ import annotations

from devices.drivers.engine import Engine
from devices.drivers.shell import Shell
from updates.plan import ContainerPlan
from updates.recipes.container.backups import Backups
from updates.recipes.container.recipe import ContainerRecipe, Surroundings
from updates.recipes.container.ways import Ways
from updates.recipes.detached import DetachedCalls
from updates.recipes.engine_images import Images


def assembled(
    plan: ContainerPlan,
    shell: Shell,
    engine: Engine,
    *,
    images: Images,
    around: Surroundings,
    kill_after_seconds: float,
) -> ContainerRecipe:
    """The recipe for `plan`."""
    calls = DetachedCalls(
        shell, work_root=plan.device.work_root, kill_after_seconds=kill_after_seconds
    )
    return ContainerRecipe(
        plan,
        shell,
        engine,
        images=images,
        ways=Ways(plan, shell, engine, calls),
        backups=Backups(
            plan, shell, engine, calls,
            place_of=around.place_of, now=around.now, stage=around.stage,
        ),
        around=around,
    )  # fmt: skip
