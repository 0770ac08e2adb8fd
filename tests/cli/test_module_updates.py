"""`manage.py run update-module` in the seed's words, and `manage.py instance` for installations."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from devices.services import bulk
from tests.cli.conftest import a_worker, run
from tests.modules.rows import NEW, OLD, new_instance, order, publish, succeeded, upgrade_of
from updates.machine import Event
from updates.models import Installation, Instance, ModuleOrder, Upgrade
from updates.services import module_updates

pytestmark = pytest.mark.database

SEED = json.dumps({"module_url": NEW, "instances": ["mymodule1"]})


def test_the_seeds_own_command_orders_the_update_and_answers_in_json() -> None:
    new_instance()
    said = run("run", "update-module", "--data", SEED)
    assert said.status == 0, said.error
    (row,) = said.json["instances"]
    assert (row["instance"]["name"], row["state"]) == ("mymodule1", "pending")
    upgrade = Upgrade.objects.get()
    assert (upgrade.to_version, upgrade.reason) == (NEW, f"update-module {NEW}")


def test_the_order_may_be_in_a_file_and_have_a_reason(tmp_path: Path) -> None:
    new_instance()
    file = tmp_path / "order.json"
    file.write_text(SEED)
    said = run("run", "update-module", "--data-file", str(file), "--reason", "A fix")
    assert (said.status, said.json["reason"]) == (0, "A fix")
    missing = run("run", "update-module", "--data-file", str(tmp_path / "none"))
    assert (missing.status, "cannot be read" in missing.error) == (1, True)


@pytest.mark.parametrize(
    ("data", "error"),
    [
        ("{", "invalid_json"),
        ("[" * 100_000, "invalid_json"),
        ('{"module_url": "a/b:1", "instances": []}', "instances_array_min_items"),
        ('{"module_url": "a/b:1", "instances": ["nobody1"]}', "instances_not_found"),
    ],
)
def test_input_that_is_wrong_is_status_10_with_the_list(data: str, error: str) -> None:
    said = run("run", "update-module", "--data", data)
    assert said.status == 10
    assert [fault["error"] for fault in said.json] == [error]
    assert not ModuleOrder.objects.exists()


def test_a_refusal_is_status_1_and_an_instance_left_out_is_status_2() -> None:
    new_instance("mymodule1", is_held=True, held_why="The audit is on.")
    new_instance("mymodule2")
    both = json.dumps({"module_url": NEW, "instances": ["mymodule1", "mymodule2"]})
    said = run("run", "update-module", "--data", both)
    assert (said.status, said.error) == (2, "1 instances are left out.")
    assert said.json["left_out"][0]["instance"] == "mymodule1"
    again = run("run", "update-module", "--data", SEED.replace("mymodule1", "mymodule2"))
    assert (again.status, again.error.endswith("[UPD-104]")) == (1, True)


@pytest.mark.database(transaction=True)
def test_followed_to_its_end_the_status_says_how_it_went() -> None:
    new_instance()
    with a_worker():
        said = run("run", "update-module", "--data", SEED, "--follow")
    assert said.status == 0, said.error
    assert said.json["instances"][0]["outcome"] == "succeeded"
    with a_worker(download=Event.FAILED):
        said = run("run", "update-module", "--data", SEED, "--follow")
    assert said.status == 2
    assert said.error.startswith(f"1 of 1 instances did not get {NEW}: 1 failed.")


def test_orders_are_listed_shown_and_cancelled() -> None:
    made = order(new_instance())
    ident = made.pk.hex[:8]
    assert run("module_order", "list").lines[1].split()[:2] == [ident, NEW]
    assert run("module_order", "show", ident).facts["instances"] == "mymodule1: pending"
    assert run("module_order", "cancel", ident, "--reason", "No", "--json").json == {"cancelled": 1}


def test_an_instance_is_installed_adopted_reinstalled_and_uninstalled() -> None:
    device = new_instance("wiki1", source="ghcr.io/nethserver/wiki").device
    why = ("--reason", "A new site")
    said = run("instance", "install", NEW, "--device", device.name, "--tcp-ports", "2", *why)
    assert said.status == 0, said.error
    instance = Instance.objects.get(name="mymodule1")
    succeeded(upgrade_of(instance))
    facts = run("instance", "show", "mymodule1").facts
    assert (facts["image"], facts["ports"]) == (NEW, "tcp 20000-20001")
    assert run("instance", "reinstall", "mymodule1", *why).status == 0
    succeeded(upgrade_of(instance))
    assert run("instance", "uninstall", "mymodule1", *why).status == 0
    Installation.objects.filter(instance__name="wiki1").delete()
    image = "ghcr.io/nethserver/wiki:1.0.0"
    assert run("instance", "adopt", "wiki1", image, *why).facts["image"] == image
    many = run("instance", "install", NEW, "--device", device.name, "--tcp-ports", "101", *why)
    assert (many.status, many.error) == (1, "An instance has 0 to 100 ports.")


def test_an_installation_is_looked_after(tmp_path: Path) -> None:
    new_instance()
    why = ("--reason", "The audit is on.")
    assert run("instance", "hold", "mymodule1", *why).facts["held"] == "The audit is on."
    assert "held" not in run("instance", "unhold", "mymodule1", *why).facts
    assert run("instance", "skip", "mymodule1", "1.1.0").facts["skipped"] == "1.1.0"
    assert run("instance", "offer", "mymodule1", "2").error.endswith("[FW-100]")
    probes = tmp_path / "probes.json"
    probes.write_text("[]")
    said = run(
        "instance", "settings", "mymodule1", "--failed-scripts", "continue", "--keep-data",
        "--volume", "data", "--probes", str(probes), "--json",
    )  # fmt: skip
    assert (said.json["on_failed_script"], said.json["volumes"]) == ("continue", ["data"])
    assert run("instance", "settings", "mymodule1", "--no-keep-data").status == 1
    assert run("instance", "settings", "mymodule1").facts["image"] == OLD


@pytest.mark.usefixtures("redis_server")
def test_an_image_is_checked_on_instances() -> None:
    instance = new_instance()
    said = run("image", "check", NEW, "mymodule1")
    assert (said.status, said.lines[1].split()) == (0, ["mymodule1", "Waiting"])
    instance.image_checks.update(verdict="refused", findings=[{"ok": False, "says": "No room."}])
    assert run("image", "check", NEW, "nobody1").status == 1
    (row,) = run("image", "check", NEW, "mymodule1", "--json").json
    assert (row["verdict"], row["findings"], row["image"]) == ("waiting", [], NEW)


def test_an_order_for_many_instances_says_how_many_it_means(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bulk, "MEANT_ABOVE", 1)
    monkeypatch.setattr(module_updates, "MEANT_ABOVE", 1)
    new_instance("mymodule1")
    new_instance("mymodule2")
    publish("1.1.0")
    both = {"module_url": NEW, "instances": ["mymodule1", "mymodule2"]}
    for verb, given in (("update-module", both), ("update-modules", {})):
        said = run("run", verb, "--data", json.dumps(given))
        says = 'It would be 2 instances: send it as "count" to say that you mean so many. [FW-100]'
        assert (said.status, said.error) == (1, says)
    invalid = run("run", "update-module", "--data", json.dumps(both | {"count": "2"}))
    assert [fault["error"] for fault in invalid.json] == ["count_invalid_type"]
    assert not ModuleOrder.objects.exists()
    assert run("run", "update-modules", "--data", '{"count": 2}').status == 0
    assert ModuleOrder.objects.get().upgrades.count() == 2
