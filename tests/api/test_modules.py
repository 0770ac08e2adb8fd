"""Module updates over the API: the seed's order, the report per instance, installations."""

from __future__ import annotations

from typing import Any

import pytest

from devices.services import bulk
from tests.api.caller import Caller
from tests.api.problems import assert_problem
from tests.modules.rows import NEW, OLD, failed, new_instance, publish, succeeded, upgrade_of
from updates.models import Installation, Instance, ModuleOrder, Upgrade
from updates.services import module_updates

pytestmark = pytest.mark.database

REASON = {"reason": "It is time"}


def seed(*names: str, **more: object) -> dict[str, Any]:
    return {"module_url": NEW, "instances": list(names), **more}


def test_the_seeds_order_is_taken_and_reports_on_each_instance(operator: Caller) -> None:
    one, two = new_instance("mymodule1"), new_instance("mymodule2")
    held = new_instance("mymodule3", is_held=True, held_why="The audit is on.")
    answer = operator.post(
        "module-orders", **seed("mymodule1", "mymodule2", "mymodule3", canary=True)
    )
    assert answer.status == 201, answer.body
    order = ModuleOrder.objects.get()
    assert answer.headers["Location"].endswith(f"/module-orders/{order.pk}")
    assert [row["instance"]["name"] for row in answer.body["instances"]] == [one.name, two.name]
    assert answer.body["left_out"] == [
        {"instance": held.name, "reason": "It is held: The audit is on."}
    ]
    waiting = operator.get(f"upgrades/{upgrade_of(two).pk}").body
    assert waiting["waits_for"] == str(upgrade_of(one).pk)

    failed(upgrade_of(one))
    found = operator.get(f"module-orders/{order.pk}").body
    assert [row["outcome"] for row in found["instances"]] == ["failed", "cancelled"]
    assert (found["counts"]["total"], found["counts"]["is_over"]) == (2, True)
    (listed,) = operator.get("module-orders").body["results"]
    assert (listed["image"], listed["canary"]) == (NEW, True)


def test_a_fault_is_named_in_the_seeds_shape(operator: Caller) -> None:
    answer = operator.post("module-orders", module_url=NEW, instances=[])
    assert_problem(answer, status=400, code="UPD-130")
    assert answer.body["invalid"] == [
        {
            "parameter": "instances", "error": "instances_array_min_items", "value": [],
            "field": "instances",
        }
    ]  # fmt: skip


def test_a_busy_instance_is_a_conflict_that_names_the_upgrade(operator: Caller) -> None:
    new_instance()
    operator.post("module-orders", **seed("mymodule1"))
    answer = operator.post("module-orders", **seed("mymodule1"))
    assert_problem(answer, status=409, code="UPD-104")
    assert answer.body["holder"] == str(Upgrade.objects.get().pk)


def test_an_order_that_is_sent_twice_is_taken_once(operator: Caller) -> None:
    new_instance()
    keyed = operator.with_key("again")
    first = keyed.post("module-orders", **seed("mymodule1"))
    assert keyed.post("module-orders", **seed("mymodule1")).body == first.body
    assert ModuleOrder.objects.count() == 1


def test_an_order_is_cancelled(operator: Caller) -> None:
    new_instance()
    order = operator.post("module-orders", **seed("mymodule1")).body["id"]
    answer = operator.post(f"module-orders/{order}/cancel", reason="Not today")
    assert (answer.status, answer.body) == (200, {"cancelled": 1})


def test_an_instance_is_installed_and_uninstalled(operator: Caller) -> None:
    device = new_instance("other1", source="ghcr.io/nethserver/other").device
    answer = operator.post("installations", image=NEW, device=device.pk, tcp_ports=1, **REASON)
    assert answer.status == 201, answer.body
    instance = Instance.objects.get(name="mymodule1")
    assert answer.headers["Location"].endswith(f"/upgrades/{answer.body['id']}")
    succeeded(upgrade_of(instance))
    shown = operator.get(f"installations/{instance.installation.pk}").body
    assert (shown["image"], shown["first_tcp_port"], shown["user"]) == (NEW, 20000, "mymodule1")
    whole = operator.get(f"instances/{instance.pk}").body
    assert (whole["version"], whole["installation"]["image"]) == ("1.1.0", NEW)
    gone = operator.post(
        f"installations/{instance.installation.pk}/uninstall", reason="The site is closed"
    )
    assert (gone.status, gone.body["to_version"]) == (201, "")
    busy = operator.post(f"installations/{instance.installation.pk}/reinstall", **REASON)
    assert_problem(busy, status=409, code="UPD-104")


def test_what_stands_there_is_taken_under_control(operator: Caller) -> None:
    one = new_instance()
    Installation.objects.all().delete()
    assert operator.get(f"instances/{one.pk}").body["installation"] is None
    answer = operator.post("installations/adopt", instance=one.pk, image=OLD, **REASON)
    assert (answer.status, answer.body["image"]) == (200, OLD)


def test_an_installation_is_looked_after(operator: Caller, viewer: Caller) -> None:
    at = f"installations/{new_instance().installation.pk}"
    assert operator.patch(at, keeps_data=True, image="x").body["keeps_data"]
    assert operator.get(at).body["image"] == OLD, "that is no setting"
    answer = operator.patch(at, volumes=["data"], keeps_data=False)
    assert_problem(answer, status=400, code="API-400")
    assert operator.post(f"{at}/hold", reason="The audit is on.").body["is_held"]
    assert not operator.post(f"{at}/release", reason="It is over").body["is_held"]
    assert operator.post(f"{at}/skip", version="1.1.0").body["skipped"] == ["1.1.0"]
    assert operator.post(f"{at}/offer", version="1.1.0").body["skipped"] == []
    assert operator.post(f"{at}/reinstall", **REASON).status == 201
    assert [row["image"] for row in operator.get("installations").body["results"]] == [OLD]
    assert viewer.get(at).status == 200
    for verb in ("hold", "release", "uninstall", "reinstall"):
        assert viewer.post(f"{at}/{verb}", **REASON).status == 403
    assert viewer.patch(at, keeps_data=False).status == 403


def test_all_that_is_offered_is_ordered_at_once(operator: Caller, viewer: Caller) -> None:
    publish("1.0.0", "1.1.0")
    new_instance("mymodule1")
    assert viewer.post("module-orders/available").status == 403
    nothing = operator.post("module-orders/available", modules=["wiki"])
    assert (nothing.status, nothing.body) == (200, [])
    (order,) = operator.post("module-orders/available", canary=True).body
    assert (order["image"], order["counts"]["waiting"]) == (NEW, 1)
    wrong = operator.post("module-orders/available", instances="mymodule1")
    assert_problem(wrong, status=400, code="UPD-130")


def test_an_order_for_many_instances_says_how_many_it_means(
    operator: Caller, viewer: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "MEANT_ABOVE", 1)
    monkeypatch.setattr(module_updates, "MEANT_ABOVE", 1)
    new_instance("mymodule1")
    new_instance("mymodule2")
    new_instance("mymodule3", is_held=True, held_why="The audit is on.")
    publish("1.1.0")
    named = seed("mymodule1", "mymodule2", "mymodule3")
    for address, order in (("module-orders", named), ("module-orders/available", {})):
        for wrong, says in (({}, 'be 2 instances: send it as "count"'), ({"count": 3}, "said 3")):
            answer = operator.post(address, **order, **wrong)
            assert_problem(answer, status=422, code="FW-100")
            assert says in answer.body["detail"]
        assert viewer.post(address, **order).status == 403
    assert not ModuleOrder.objects.exists()
    assert operator.post("module-orders", **named, count=2).body["counts"]["total"] == 2
