"""One order for many instances on several devices, carried out by workers as operators run them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from portal.core.actors import PORTAL
from tests.e2e.conftest import StartPortal
from tests.environment.redis import RedisServer
from tests.environment.waiting import wait_until
from tests.modules.host import WHY, Host
from tests.modules.mymodule import Tree, script
from tests.modules.stage import Stage
from updates.machine import Outcome, State
from updates.models import Instance, ModuleOrder
from updates.services.module_choice import Wanted
from updates.services.module_updates import order_module

DEVICES, INSTANCES = 3, 10
FAILING = "mymodule4"
PATIENCE_SECONDS = 300
HEALTH = {"HEALTH_LIMIT_SECONDS": "60", "HEALTH_PASSES": "1", "HEALTH_PAUSE_SECONDS": "0.3"}
FAIL_ONE = f'#!/bin/sh\n[ "$MODULE_ID" != {FAILING} ] || exit 7\n'
SECOND: Tree = {"imageroot/update-module.d/10migrate": script(FAIL_ONE)}


@pytest.fixture
def hosts(
    module_stage: Stage, transactional_db: None, redis_server: RedisServer
) -> Iterator[list[Host]]:
    found = [Host(module_stage.device(number), module_stage.engine) for number in range(DEVICES)]
    yield found
    for host in found:
        host.reset()


def test_one_that_fails_of_ten_and_orders_that_go_no_further(
    hosts: list[Host], module_stage: Stage, start_portal: StartPortal
) -> None:
    module = module_stage.module
    first, second = module.build("1.9.0"), module.build("2.9.0", SECOND)
    on = {
        host.install(first).name: host for number in range(INSTANCES) for host in [hosts[number % DEVICES]]
    }  # fmt: skip
    instances = list(Instance.objects.select_related("installation", "device").order_by("pk"))
    for _ in range(DEVICES):
        start_portal("rqworker", "updates", **HEALTH)
    start_portal("recover", "--every", "2", **HEALTH)
    one = next(instance for instance in instances if instance.name == FAILING)
    rest = [instance for instance in instances if instance != one]

    canary = carried_out(second, [one, *rest[:2]], canary=True)
    assert ended(canary) == {
        FAILING: Outcome.ROLLED_BACK,
        rest[0].name: Outcome.CANCELLED,
        rest[1].name: Outcome.CANCELLED,
    }
    same_device = [one, *(row for row in rest if row.device_id == one.device_id)]
    stopped = ended(carried_out(second, same_device, stops_at_failure=True))
    assert stopped[FAILING] == Outcome.ROLLED_BACK
    assert Outcome.CANCELLED in stopped.values()

    everyone = ended(carried_out(second, instances))
    updated = {name for name, outcome in stopped.items() if outcome == Outcome.SUCCEEDED}
    assert everyone.pop(FAILING) == Outcome.ROLLED_BACK
    assert set(everyone) | updated == {row.name for row in rest}
    assert set(everyone.values()) == {Outcome.SUCCEEDED}
    for instance in instances:
        answers = "web 1.9.0" if instance == one else "web 2.9.0"
        assert on[instance.name].answer(instance) == answers


def carried_out(image: str, instances: list[Instance], **wanted: bool) -> ModuleOrder:
    """The order, when all of its upgrades are over."""
    order = order_module(
        Wanted(image=image, instances=instances, **wanted), actor=PORTAL, reason=WHY
    )
    wait_until(
        lambda: not order.upgrades.exclude(state=State.FINISHED).exists(),
        seconds=PATIENCE_SECONDS,
        what="the end of every upgrade",
    )
    return order


def ended(order: ModuleOrder) -> dict[str, str | None]:
    """How each instance's upgrade ended."""
    return {
        str(upgrade.instance): upgrade.outcome
        for upgrade in order.upgrades.select_related("instance")
    }
