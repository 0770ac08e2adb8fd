"""What repositories offer to what is installed: on the page, and ordered at once."""

from __future__ import annotations

import json

import pytest
from django.contrib.auth.models import Permission, User
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from portal.core import clock
from portal.core.actors import PORTAL
from portal.core.errors import NotPermitted
from tests.cli.conftest import run
from tests.modules.rows import SOURCE, new_instance, operator, order, publish
from tests.services.people import somebody
from updates.errors import OrderInvalid
from updates.models import Upgrade
from updates.services.module_bulk import Bulk, update_modules
from updates.services.module_input import read_bulk
from updates.services.offers import offers
from updates.services.repositories import catalogue

pytestmark = pytest.mark.database

WIKI = "ghcr.io/nethserver/wiki"


def found(**narrowed: list[str]) -> dict[str, str]:
    """The version that each instance is offered."""
    return {offer.name: offer.version for offer in offers(catalogue(), **narrowed)}


def client_of(*codenames: str) -> Client:
    user = User.objects.create_user("otto", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client = Client()
    client.force_login(user)
    return client


def test_each_instance_is_offered_the_newest_that_it_may_have() -> None:
    publish("1.0.0", "1.1.0", "1.2.0")
    new_instance("mymodule1")
    new_instance("mymodule2", skipped=["1.2.0"])
    new_instance("mymodule3", skipped=["1.1.0", "1.2.0"])
    new_instance("mymodule4", image=f"{SOURCE}:1.2.0")
    new_instance("mymodule5", image=f"{SOURCE}:latest")
    new_instance("mymodule6", uninstalled_at=clock.now())
    new_instance("wiki1", source=WIKI)
    assert found() == {"mymodule1": "1.2.0", "mymodule2": "1.1.0"}
    publish("1.0.1", source=WIKI, name="wiki")
    assert found(instances=["wiki1", "mymodule1"]) == {"mymodule1": "1.2.0", "wiki1": "1.0.1"}
    assert found(modules=["wiki"]) == {"wiki1": "1.0.1"}
    assert found(modules=["wiki"], instances=["mymodule1"]) == {}


def test_a_version_that_asks_for_a_newer_one_to_come_from_is_a_step_too_far() -> None:
    publish("1.1.0", "2.0.0", **{"org.nethserver.min-from": "1.1.0"})
    new_instance("mymodule1")
    new_instance("mymodule2", image=f"{SOURCE}:1.1.0")
    assert found() == {"mymodule1": "1.1.0", "mymodule2": "2.0.0"}


def test_all_that_is_offered_is_ordered_at_once_with_an_order_for_each_image() -> None:
    publish("1.1.0")
    publish("1.0.1", source=WIKI, name="wiki")
    one, two = new_instance("mymodule1"), new_instance("mymodule2")
    new_instance("mymodule3", is_held=True, held_why="The audit is on.")
    wiki = new_instance("wiki1", source=WIKI)
    bulk = Bulk(canary=True, stops_at_failure=True)
    with pytest.raises(NotPermitted):
        update_modules(bulk, catalogue(), actor=somebody("vera"), reason="Tuesday")
    made = update_modules(bulk, catalogue(), actor=operator(), reason="Tuesday")
    assert {
        row.image: [upgrade.instance for upgrade in row.upgrades.order_by("created_at")]
        for row in made
    } == {f"{SOURCE}:1.1.0": [one, two], f"{WIKI}:1.0.1": [wiki]}
    assert [(row.canary, row.stops_at_failure, row.left_out) for row in made] == [
        (True, True, []), (False, True, []),
    ]  # fmt: skip
    assert update_modules(bulk, catalogue(), actor=PORTAL, reason="Again") == [], "all are busy"


def test_the_order_for_all_is_read_in_the_seeds_shape() -> None:
    bulk, reason = read_bulk({"modules": ["wiki"], "canary": True})
    assert (bulk, reason) == (Bulk(modules=("wiki",), canary=True), "update-modules")
    for wrong, error in (
        ([], "invalid_type"),
        ({"modules": "wiki"}, "modules_invalid_type"),
        ({"instances": [1]}, "instances_invalid_type"),
        ({"instances": ["x"] * 1001}, "instances_array_max_items"),
        ({"module_url": "x"}, "module_url_additional_property_not_allowed"),
        ({"force": True}, "force_additional_property_not_allowed"),
    ):
        with pytest.raises(OrderInvalid) as refused:
            read_bulk(wrong)
        assert [fault["error"] for fault in refused.value.invalid] == [error]


def test_in_a_shell_nothing_that_matches_is_no_failure() -> None:
    publish("1.1.0")
    new_instance("mymodule1")
    nothing = run("run", "update-modules", "--data", '{"modules": ["wiki"]}')
    assert (nothing.status, nothing.json) == (0, [])
    said = run("run", "update-modules", "--data", "{}", "--reason", "Tuesday")
    assert said.status == 0, said.error
    assert [row["image"] for row in said.json] == [f"{SOURCE}:1.1.0"]
    assert run("run", "update-modules", "--data", json.dumps({"modules": 1})).status == 10


def test_the_page_says_what_is_outdated_where_and_what_can_be_done() -> None:
    publish("1.1.0")
    one = new_instance("mymodule1")
    held = new_instance("mymodule2", is_held=True, held_why="The audit is on.")
    reader = client_of(
        "view_installation", "order_module", "change_installation", "view_moduleorder"
    )
    page = reader.get(reverse("admin:updates_installation_available")).content.decode()
    assert f'data-image="{SOURCE}:1.1.0"' in page
    assert f'href="https://{SOURCE}/releases"' in page
    assert "2 instances</strong>, 1 of them held" in page
    update = reverse("admin:updates_moduleorder_update")
    assert f"{update}?image=ghcr.io%2Fnethserver%2Fmymodule%3A1.1.0&amp;instance={one.pk}" in page
    skip = reverse("admin:updates_installation_skip", args=[held.installation.pk])
    assert f'href="{skip}?version=1.1.0"' in page
    form = reader.get(f"{update}?instance={one.pk}&image={SOURCE}:1.1.0").content.decode()
    assert f'value="{SOURCE}:1.1.0"' in form
    assert "mymodule1" in form

    order(new_instance("mymodule3"), actor=PORTAL)
    busy = reader.get(reverse("admin:updates_installation_available")).content.decode()
    assert "1 with an update on its way" in busy
    assert "an update is pending" in busy

    every = reverse("admin:updates_installation_update_all")
    assert f"1 get {SOURCE}:1.1.0." in reader.get(every).content.decode()
    reader.post(every, {"reason": "Tuesday", "canary": "on"})
    assert Upgrade.objects.latest("created_at").instance == one
    assert Upgrade.objects.count() == 2


def test_who_may_only_look_is_told_so_and_an_empty_page_says_what_to_do() -> None:
    viewer = client_of("view_installation")
    at = reverse("admin:updates_installation_available")
    assert "No instance of a module image is known yet" in viewer.get(at).content.decode()
    order(new_instance("mymodule1"), actor=PORTAL)
    assert "Nothing newer is published" in viewer.get(at).content.decode()
    publish("1.1.0")
    assert "You lack the permission updates.order_module." in viewer.get(at).content.decode()
    assert viewer.get(reverse("admin:updates_installation_update_all")).status_code == 403


def test_the_front_page_counts_what_could_be_newer_and_what_is_held() -> None:
    cache.clear()
    reader = client_of("view_node", "view_installation")
    assert b"Instances with an update" not in reader.get(reverse("systems")).content
    cache.clear()
    publish("1.1.0")
    new_instance("mymodule1")
    new_instance("mymodule2", is_held=True, held_why="The audit is on.")
    new_instance("mymodule3", image=f"{SOURCE}:1.1.0")
    tiles = reader.get(reverse("systems")).content.decode()
    offered = reverse("admin:updates_installation_available")
    assert f'<a href="{offered}"><strong>2</strong> <span>Instances with an update' in tiles
    held = f"{reverse('admin:updates_installation_changelist')}?is_held__exact=1"
    assert f'<a href="{held}"><strong>1</strong> <span>Instances held' in tiles
    listed = reader.get(held).content.decode()
    assert "mymodule2" in listed
    assert "mymodule1" not in listed
