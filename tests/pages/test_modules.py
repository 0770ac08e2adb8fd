"""Module updates over the pages: preview, order, its report; an instance's installation and its verbs."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from portal.core.actors import PORTAL
from portal.core.models import AuditEvent
from tests.journal.rows import new_device
from tests.modules.rows import (
    NEW,
    OLD,
    SOURCE,
    failed,
    new_instance,
    order,
    publish,
    succeeded,
    upgrade_of,
)
from tests.pages.shown import mark_in
from updates.machine import Outcome, State
from updates.models import Installation, Instance, ModuleOrder, Upgrade

pytestmark = pytest.mark.database

UPDATE = "/updates/moduleorder/update/"


def words(*instances: Instance, **more: object) -> dict[str, Any]:
    picked = [str(instance.pk) for instance in instances]
    return {"image": NEW, "instances": picked, "reason": "It is time", **more}


def page_of(instance: Instance) -> str:
    return reverse("admin:updates_instance_change", args=[instance.pk])


def verb(instance: Instance, word: str) -> str:
    return reverse(f"admin:updates_installation_{word}", args=[instance.installation.pk])


def test_a_preview_says_who_gets_it_what_waits_and_who_is_left_out(operator: Client) -> None:
    device = new_device("shared")
    one, two = new_instance("mymodule1", device=device), new_instance("mymodule2")
    new_instance("mymodule3", is_held=True, held_why="The audit is on.")
    other = order(new_instance("wiki1", source="ghcr.io/nethserver/wiki", device=device),
                  image="ghcr.io/nethserver/wiki:1.1.0").upgrades.get()  # fmt: skip
    every = {**words(), "module": str(one.module_id), "canary": "on"}

    answer = operator.post(UPDATE, every)
    assert (answer.status_code, answer.context["takes_count"]) == (200, 2)
    first, second = answer.context["takes"]
    assert (first.instance, first.waits) == (one, f"Waits for {other}.")
    assert (second.instance, second.waits) == (two, "Waits for the canary, mymodule1.")
    assert answer.context["left_out"] == [("It is held: The audit is on.", 1, ["mymodule3"])]
    assert ModuleOrder.objects.count() == 1


def test_choosing_again_keeps_what_was_chosen(operator: Client) -> None:
    one, two = new_instance("mymodule1"), new_instance("mymodule2")
    chosen = words(two, one, canary="on")
    again = operator.post(UPDATE, {**chosen, "again": "yes"})
    form = again.context["form"]
    assert again.status_code == 200
    assert form["reason"].value() == chosen["reason"]
    assert form["image"].value() == chosen["image"]
    assert form["canary"].value()
    assert [str(pk) for pk in form["instances"].value()] == [str(two.pk), str(one.pk)]
    assert not ModuleOrder.objects.exists()


def test_the_confirmation_orders_what_the_preview_showed(operator: Client) -> None:
    one, two = new_instance("mymodule1"), new_instance("mymodule2")
    shown = operator.post(UPDATE, words(two, one, canary="on"))
    confirmed = {**words(two, one, canary="on"), "confirm": "yes",
                 "expected": shown.context["form"]["expected"].value()}  # fmt: skip
    answer = operator.post(UPDATE, confirmed)
    made = ModuleOrder.objects.get()
    assert answer["Location"] == reverse("admin:updates_moduleorder_change", args=[made.pk])
    upgrades = made.upgrades.order_by("created_at")
    assert [row.instance for row in upgrades] == [two, one], (
        "in the order in which they were picked"
    )
    assert made.canary

    again = operator.post(UPDATE, confirmed)
    assert again.status_code == 200
    assert "Something has changed" in again.content.decode()
    assert ModuleOrder.objects.count() == 1


def test_a_form_that_cannot_be_says_why(operator: Client) -> None:
    one = new_instance()
    for wrong, sentence in (
        ({"image": "A b"}, "is not the name of an image"),
        ({"instances": []}, "Choose instances, or all instances of a module."),
        ({"module": str(one.module_id)}, "Choose instances, or all instances of a module."),
        ({"reason": ""}, "required"),
    ):
        answer = operator.post(UPDATE, {**words(one), **wrong})
        assert answer.status_code == 422
        assert sentence in answer.content.decode()
    assert not ModuleOrder.objects.exists()


def test_who_may_not_override_is_not_asked(operator: Client, viewer: Client) -> None:
    assert viewer.get(UPDATE).status_code == 403
    assert b"Although a check refuses it" in operator.get(UPDATE).content


def test_the_page_of_an_order_reports_on_each_instance_and_goes_on_by_itself(
    operator: Client, viewer: Client
) -> None:
    one, two = new_instance("mymodule1"), new_instance("mymodule2")
    made = order(one, two, new_instance("mymodule3", is_held=True, held_why="No."), canary=True)
    at = reverse("admin:updates_moduleorder_change", args=[made.pk])
    page = operator.get(at)
    text = page.content.decode()
    assert "canary first" in text
    assert "<strong>mymodule3</strong>: It is held: No." in text
    polled = reverse("admin:updates_moduleorder_counts", args=[made.pk])
    mark = mark_in(page.content)
    assert operator.get(polled, {"mark": mark}).status_code == 204
    failed(upgrade_of(one))
    over = operator.get(polled, {"mark": mark})
    assert over.status_code == 286
    assert operator.get(at, {"show": "cancelled"}).context["upgrades"].object_list == [
        upgrade_of(two)
    ]
    assert "Nothing of it can be cancelled any more." in operator.get(at).content.decode()
    assert "You lack the permission updates.cancel_upgrade." in viewer.get(at).content.decode()


def test_all_of_an_order_is_cancelled(operator: Client) -> None:
    made = order(new_instance())
    cancel = reverse("admin:updates_moduleorder_cancel", args=[made.pk])
    assert "1 of its upgrades can still be cancelled." in operator.get(cancel).content.decode()
    operator.post(cancel, {"reason": "Not today"})
    assert made.upgrades.get().outcome == Outcome.CANCELLED


def test_the_page_of_an_instance_shows_its_installation_and_what_can_be_done(
    operator: Client, viewer: Client
) -> None:
    one = new_instance()
    text = operator.get(page_of(one)).content.decode()
    assert OLD in text
    for word in ("reinstall", "uninstall", "hold", "skip", "settings"):
        assert f'href="{verb(one, word)}"' in text
    assert "There is no update that could be taken back." in text
    assert (
        "You lack the permission updates.order_module." in viewer.get(page_of(one)).content.decode()
    )

    order(one)
    busy = operator.get(page_of(one)).content.decode()
    there = reverse("admin:updates_upgrade_change", args=[upgrade_of(one).pk])
    assert f'It is busy: <a href="{there}">{upgrade_of(one)}</a> is pending.' in busy
    assert f'href="{verb(one, "uninstall")}"' not in busy


def test_what_was_updated_can_be_rolled_back_from_there(operator: Client) -> None:
    one = new_instance()
    order(one)
    done = succeeded(upgrade_of(one))
    Upgrade.objects.filter(pk=done.pk).update(facts={**done.facts, "kept": True})
    back = reverse("admin:updates_upgrade_roll_back", args=[done.pk])
    assert f'href="{back}"' in operator.get(page_of(one)).content.decode()
    Upgrade.objects.filter(pk=done.pk).update(facts=done.facts)
    gone = operator.get(page_of(one)).content.decode()
    assert "What it kept of the version before is not on the device any more." in gone


def test_each_verb_of_an_installation_says_what_will_happen_and_does_it(operator: Client) -> None:
    one = new_instance()
    why = {"reason": "The audit is on."}
    assert "by a person who names it alone" in operator.get(verb(one, "hold")).content.decode()
    operator.post(verb(one, "hold"), why)
    text = operator.get(page_of(one)).content.decode()
    assert "<strong>Held:</strong> The audit is on." in text
    assert "The audit is on." in operator.get(verb(one, "release")).content.decode()
    operator.post(verb(one, "release"), why)
    operator.post(verb(one, "skip"), {"version": "1.1.0", **why})
    made = Installation.objects.get()
    assert (made.is_held, made.skipped) == (False, ["1.1.0"])
    answer = operator.post(verb(one, "reinstall"), why)
    upgrade = upgrade_of(one)
    assert answer["Location"] == reverse("admin:updates_upgrade_change", args=[upgrade.pk])
    succeeded(upgrade)
    operator.post(verb(one, "uninstall"), why)
    assert upgrade_of(one).plan["verb"] == "uninstall"
    refused = operator.post(verb(one, "uninstall"), why)
    assert (refused.status_code, "is busy" in refused.content.decode()) == (422, True)


def test_a_hold_says_which_updates_it_calls_off_and_which_go_on(operator: Client) -> None:
    one, two, three = (new_instance(f"mymodule{number}") for number in (1, 2, 3))
    order(one, two, canary=True, actor=PORTAL)
    order(three, actor=PORTAL)
    called_off = "waits, and is called off: it came with an order for several."
    others = "The others of that order wait for it"
    first, second, alone = (
        operator.get(verb(each, "hold")).content.decode() for each in (one, two, three)
    )
    assert (f"{NEW} on mymodule1 {called_off}" in first, others in first) == (True, True)
    assert (f"{NEW} on mymodule2 {called_off}" in second, others in second) == (True, False)
    assert f"{NEW} on mymodule3 is pending, and goes on: cancel it" in alone
    assert called_off not in alone


def test_settings_are_saved_and_refused_at_their_fields(operator: Client) -> None:
    one = new_instance()
    at = verb(one, "settings")
    good = {"on_failed_script": "continue", "keeps_data": "on", "volumes": "data\n\nmore\n",
            "probes": '[{"kind": "tcp", "host": "127.0.0.1", "port": 80}]'}  # fmt: skip
    assert operator.post(at, good)["Location"] == page_of(one)
    made = Installation.objects.get()
    assert (made.on_failed_script, made.volumes) == ("continue", ["data", "more"])
    assert made.probes[0]["port"] == 80
    for wrong, sentence in (
        ({"probes": "{"}, "This is no JSON."),
        ({"probes": '[{"kind": "hope"}]'}, "kind is one of"),
        ({"keeps_data": ""}, "Volumes are kept with the data only"),
    ):
        answer = operator.post(at, {**good, **wrong})
        assert answer.status_code == 422
        assert sentence in answer.content.decode()
    assert "&quot;port&quot;: 80" in operator.get(at).content.decode()


def test_a_module_is_installed_from_the_devices_page(operator: Client) -> None:
    device = new_device("home")
    page = operator.get(reverse("admin:devices_device_change", args=[device.pk])).content.decode()
    at = reverse("admin:updates_installation_install", args=[device.pk])
    assert f'href="{at}"' in page
    good = {"image": NEW, "tcp_ports": "2", "udp_ports": "0", "reason": "A new site"}
    bad = operator.post(at, {**good, "name": "a b"})
    assert (bad.status_code, Instance.objects.count()) == (422, 0)
    assert "Letters, digits" in bad.content.decode()
    operator.post(at, good)
    upgrade = Upgrade.objects.get()
    assert (upgrade.state, upgrade.plan["environment"]["TCP_PORT"]) == (State.PENDING, "20000")
    empty = operator.get(page_of(Instance.objects.get())).content.decode()
    assert "none is in force" in empty


def test_what_stands_there_is_taken_under_control(operator: Client) -> None:
    one = new_instance()
    one.installation.delete()
    at = reverse("admin:updates_installation_adopt", args=[one.pk])
    assert f'href="{at}"' in operator.get(page_of(one)).content.decode()
    answer = operator.post(at, {"image": f"{SOURCE}:1.0.2", "reason": "It is ours"})
    assert answer["Location"] == page_of(one)
    assert Installation.objects.get().image == f"{SOURCE}:1.0.2"
    listed = reverse("admin:updates_installation_change", args=[Installation.objects.get().pk])
    assert operator.get(listed)["Location"] == page_of(one)
    assert AuditEvent.objects.filter(action="module.adopt").count() == 1


def test_for_more_than_a_hundred_instances_the_number_is_typed(operator: Client) -> None:
    instances = [new_instance(f"mymodule{number}") for number in range(1, 102)]
    shown = operator.post(UPDATE, words(*instances))
    assert "Type the number of instances, 101, to confirm" in shown.content.decode()
    confirmed = {**words(*instances), "confirm": "yes",
                 "expected": shown.context["form"]["expected"].value()}  # fmt: skip
    for typed, says in (("", "It would be 101 instances: type the number"), ("11", "You said 11")):
        assert says in operator.post(UPDATE, confirmed | {"typed": typed}).content.decode()
    assert not ModuleOrder.objects.exists()
    assert operator.post(UPDATE, confirmed | {"typed": "101"}).status_code == 302
    assert ModuleOrder.objects.get().upgrades.count() == 101


def test_all_that_is_offered_to_more_than_a_hundred_wants_the_number(operator: Client) -> None:
    for number in range(1, 102):
        new_instance(f"mymodule{number}")
    publish("1.1.0")
    every = reverse("admin:updates_installation_update_all")
    assert "Type 101 if you mean all of them." in operator.get(every).content.decode()
    refused = operator.post(every, {"reason": "Tuesday"})
    assert "It would be 101 instances: type the number" in refused.content.decode()
    assert not ModuleOrder.objects.exists()
    assert operator.post(every, {"reason": "Tuesday", "number": "101"}).status_code == 302
    assert ModuleOrder.objects.get().upgrades.count() == 101
