"""Lists of deployments and of orders of module images: how far each is, and which are over."""

from __future__ import annotations

import re

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from devices.models import Device
from portal.core.actors import PORTAL
from portal.dashboard.front_page import SHOWN
from tests.journal.rows import brought_to, held, new_artifact, new_device
from tests.modules.rows import new_instance
from tests.modules.rows import order as order_module
from updates.machine import State
from updates.models import Deployment, ModuleOrder, Upgrade
from updates.services.deployments import deploy_artifact

pytestmark = pytest.mark.database

DEPLOYMENTS = reverse("admin:updates_deployment_changelist")
ORDERS = reverse("admin:updates_moduleorder_changelist")


def deployed(name: str, **numbers: int) -> Deployment:
    """A deployment with so many upgrades that are over with each outcome, `running` or `waiting`."""
    devices = [new_device(f"{name}-{number}").pk for number in range(sum(numbers.values()))]
    deployment = deploy_artifact(
        artifact=new_artifact(f"artifact-{name}"),
        devices=Device.objects.filter(pk__in=devices),
        actor=PORTAL,
        reason="all",
        name=name,
    )
    upgrades = iter(deployment.upgrades.all())
    for word, count in numbers.items():
        for _ in range(count):
            end(next(upgrades), word)
    return deployment


def end(upgrade: Upgrade, word: str) -> None:
    """It runs, or is over with this outcome; it waits as before when that is the word."""
    if word == "running":
        brought_to(State.INSTALLING, held(upgrade))
    elif word != "waiting":
        brought_to(State.FINISHED, held(upgrade))
        Upgrade.objects.filter(pk=upgrade.pk).update(outcome=word)


def counts_in(html: str, order: Deployment | ModuleOrder) -> dict[str, int]:
    """What the page says of the order's upgrades, each with its link."""
    url = reverse(f"admin:updates_{order._meta.model_name}_change", args=[order.pk])
    found = re.findall(rf'href="{url}\?show=(\w+)#upgrades"[^>]*><strong>(\d+)</strong>', html)
    return {word: int(count) for word, count in found}


def test_a_list_says_how_far_each_order_is(operator: Client) -> None:
    mixed = deployed("mixed", succeeded=2, rolled_back=1, running=1, waiting=3)
    over = deployed("done", succeeded=1, broken=1)
    html = operator.get(DEPLOYMENTS).content.decode()
    assert counts_in(html, mixed) == {"succeeded": 2, "rolled_back": 1, "running": 1, "waiting": 3}
    assert counts_in(html, over) == {"succeeded": 1, "broken": 1}
    assert re.findall(r'data-over="(\w+)"', html) == ["yes", "no"]

    order = order_module(new_instance("mymodule1"), new_instance("mymodule2"), actor=PORTAL)
    end(order.upgrades.all()[0], "failed")
    html = operator.get(ORDERS).content.decode()
    assert counts_in(html, order) == {"failed": 1, "waiting": 1}


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("", ["waits", "runs", "went-wrong", "went-well"]),
        ("running", ["waits", "runs"]),
        ("over", ["went-wrong", "went-well"]),
        ("failures", ["runs", "went-wrong"]),
        ("no such word", ["waits", "runs", "went-wrong", "went-well"]),
    ],
)
def test_deployments_are_found_by_how_they_stand(
    asked: str, found: list[str], operator: Client
) -> None:
    deployed("went-well", succeeded=2)
    deployed("went-wrong", succeeded=1, rolled_back=1)
    deployed("runs", running=1, broken=1)
    deployed("waits", waiting=1)
    html = operator.get(DEPLOYMENTS, {"progress": asked} if asked else {}).content.decode()
    names = {str(row.pk): row.name for row in Deployment.objects.all()}
    shown = dict.fromkeys(re.findall(r"/updates/deployment/([0-9a-f-]{36})/change/", html))
    assert [names[pk] for pk in shown] == found


def test_orders_of_module_images_are_found_by_how_they_stand(operator: Client) -> None:
    waits, over = (
        order_module(new_instance(f"mymodule{number}"), actor=PORTAL) for number in (1, 2)
    )
    end(over.upgrades.get(), "failed")
    for asked, found in (("running", waits), ("over", over), ("failures", over)):
        html = operator.get(ORDERS, {"progress": asked}).content.decode()
        assert set(re.findall(r"/updates/moduleorder/([0-9a-f-]{36})/", html)) == {str(found.pk)}


def test_a_page_of_orders_is_counted_in_one_query(operator: Client) -> None:
    deployed("first", waiting=1)
    operator.get(DEPLOYMENTS)
    with CaptureQueriesContext(connection) as few:
        operator.get(DEPLOYMENTS)
    for number in range(4):
        deployed(f"more-{number}", succeeded=1, waiting=1)
    with CaptureQueriesContext(connection) as many:
        operator.get(DEPLOYMENTS)
    assert len(many) == len(few)
    assert len(many) <= 12


def test_the_front_page_has_the_deployments_that_run(operator: Client, viewer: Client) -> None:
    address = reverse("running-deployments")
    deployed("went-wrong", broken=1)
    assert "data-deployment" not in operator.get(address).content.decode()
    runs = deployed("runs", running=1, succeeded=1)
    assert address in viewer.get(reverse("admin:index")).content.decode()
    html = viewer.get(address).content.decode()
    assert re.findall(r'data-deployment="([^"]+)"', html) == [str(runs.pk)]
    assert counts_in(html, runs) == {"running": 1, "succeeded": 1}


def test_more_deployments_than_the_front_page_shows_are_behind_a_link(operator: Client) -> None:
    for number in range(SHOWN + 1):
        deployed(f"runs-{number:02}", waiting=1)
    html = operator.get(reverse("running-deployments")).content.decode()
    assert html.count("data-deployment=") == SHOWN
    link = re.search(r'href="([^"]+progress=running)"', html)
    assert link
    assert operator.get(link[1]).content.decode().count('data-over="no"') == SHOWN + 1
