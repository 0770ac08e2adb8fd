"""What a set of containers is like before it is changed."""

from __future__ import annotations

from functools import partial
from typing import Any

from devices.drivers.engine import Engine
from devices.drivers.engine_answers import details_of
from devices.drivers.engine_containers import ContainerDetails
from updates.errors import StepFailed
from updates.plan import ContainerPlan
from updates.recipes.container.before import Before
from updates.recipes.container.dependants import dependants as sharing
from updates.recipes.patience import patiently
from updates.runner import Context

RUNS = ("running", "restarting", "paused")


def look_at(context: Context, engine: Engine, plan: ContainerPlan) -> Before:
    """The set and those that live in its network, as the engine describes them. Images are not kept yet."""
    answers: dict[str, dict[str, Any]] = {}
    ran: list[str] = []

    def take(name: str) -> ContainerDetails:
        here = patiently(context, engine, partial(engine.containers.named, name))
        if here is None:
            raise StepFailed(f"The engine has no container {name} any more.")
        answers[name] = dict(here.raw)
        if here.state in RUNS:
            ran.append(name)
        return here

    dependants: list[str] = []
    for name in plan.containers:
        take(name)
    listed = patiently(context, engine, engine.containers.all)
    for name in plan.containers:
        found = [one.name for one in sharing(details_of(answers[name]), listed)]
        dependants += [one for one in found if one not in (*plan.containers, *dependants)]
    for name in dependants:
        take(name)
    return Before(containers=answers, ran=ran, dependants=dependants)
