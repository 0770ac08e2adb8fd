"""Deploying over the pages: form, preview, confirmation, counts."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from devices.models import Device, DeviceGroup
from devices.services.bulk import mark_of_these
from devices.services.selections import store_selection
from portal.core.actors import Actor
from tests.journal.rows import brought_to, held
from tests.pages.conftest import MakeDevice
from tests.pages.meanwhile import just_before
from tests.pages.rows import rows
from tests.pages.shown import mark_in
from updates.journal import request_cancel
from updates.machine import State
from updates.models import Artifact, Deployment, UpdateModule, Upgrade
from updates.services import order_cancels
from updates.services.deployments import cancel_deployment, deploy_artifact

pytestmark = pytest.mark.database

DEPLOY = "admin:updates_deployment_deploy"
BY_NAME = 'ORDER BY "devices_device"."name"'


@pytest.fixture
def order(artifact: Artifact) -> dict[str, Any]:
    return {"artifact": str(artifact.pk), "everything": "on", "reason": "The lab liked it"}


@pytest.fixture
def deployment(artifact: Artifact, make_device: MakeDevice, actor: Actor) -> Deployment:
    for number in range(60):
        make_device(f"box-{number:02}")
    return deploy_artifact(
        artifact=artifact, devices=Device.objects.all(), actor=actor, reason="All of them"
    )


def test_a_preview_says_who_gets_it_and_who_does_not_and_changes_nothing(
    operator: Client, make_device: MakeDevice, order: dict[str, Any]
) -> None:
    make_device("box-1")
    make_device("toaster", device_type="toaster")
    had = make_device("box-2")
    had.provides = {
        "artifact_name": "release-1",
        "rootfs-image.web-file.version": "release-1",
    }
    had.save()
    before = rows()
    response = operator.post(reverse(DEPLOY), order)
    shown = response.content.decode()
    assert response.status_code == 200
    assert 'data-takes="1"' in shown
    assert "Has it already (1)" in shown
    assert "It needs device type box; the device has toaster." in shown
    assert rows() == before


def confirmed(devices: Iterable[Device] | None = None) -> dict[str, str]:
    """What the preview adds to the order when it showed that these get it; by default all."""
    shown = Device.objects.all() if devices is None else devices
    return {"expected": mark_of_these(device.pk for device in shown), "confirm": "yes"}


def test_a_confirmed_deployment_orders_an_upgrade_for_each_device(
    operator: Client, make_device: MakeDevice, order: dict[str, Any]
) -> None:
    make_device("box-1")
    make_device("box-2")
    response = operator.post(reverse(DEPLOY), order | confirmed())
    deployment = Deployment.objects.get()
    assert response.headers["Location"] == reverse(
        "admin:updates_deployment_change", args=[deployment.pk]
    )
    assert deployment.upgrades.count() == 2
    assert (deployment.reason, deployment.requested_by_name) == ("The lab liked it", "alice")
    assert deployment.selection == {"everything": True}


def test_a_fleet_that_changed_since_the_preview_is_shown_again(
    operator: Client, make_device: MakeDevice, order: dict[str, Any]
) -> None:
    make_device("box-1")
    make_device("box-2")
    response = operator.post(reverse(DEPLOY), order | confirmed(Device.objects.all()[:1]))
    assert "The fleet has changed since you looked" in response.content.decode()
    assert not Deployment.objects.exists()


def test_what_was_checked_is_what_is_deployed(
    operator: Client, make_device: MakeDevice, order: dict[str, Any]
) -> None:
    make_device("box-1")
    seen = confirmed()
    with just_before(BY_NAME, lambda: make_device("box-2"), time=2):
        response = operator.post(reverse(DEPLOY), order | seen)
    assert "it would be 2 devices now, and not 1" in response.content.decode()
    assert not Deployment.objects.exists()


def test_a_preview_is_shown_again_when_another_device_took_the_place_of_one(
    operator: Client, make_device: MakeDevice, order: dict[str, Any]
) -> None:
    gone = make_device("box-1")
    seen = confirmed()
    gone.delete()
    make_device("box-2")
    response = operator.post(reverse(DEPLOY), order | seen)
    assert "The fleet has changed since you looked" in response.content.decode()
    assert not Deployment.objects.exists()


def test_a_preview_parts_devices_by_what_they_have_and_by_what_keeps_them_out(
    operator: Client, make_device: MakeDevice, order: dict[str, Any]
) -> None:
    for number in range(3):
        device = make_device(f"box-{number}")
        device.provides = {"artifact_name": "release-0"}
        device.save()
    make_device("new")
    make_device("toaster-1", device_type="toaster")
    make_device("toaster-2", device_type="toaster")
    shown = " ".join(operator.post(reverse(DEPLOY), order).content.decode().split())
    assert "<strong>3</strong>: release-0 → <strong>release-1</strong>" in shown
    assert "<strong>1</strong>: nothing known → <strong>release-1</strong>" in shown
    assert "<strong>2</strong>: It needs device type box; the device has toaster." in shown
    assert "toaster-1, toaster-2" in shown


def test_a_preview_says_what_will_happen_in_each_state(
    operator: Client, make_device: MakeDevice, order: dict[str, Any], update_module: UpdateModule
) -> None:
    make_device("box-1")
    shown = operator.post(reverse(DEPLOY), order).content.decode()
    assert "The portal brings the Update Module web-file v1 along." in shown
    assert "nobody knows before its first use" in shown
    assert "4\xa0hours" in shown


def test_a_preview_knows_what_the_update_module_said_the_last_time(
    operator: Client, succeeded: Upgrade, order: dict[str, Any]
) -> None:
    shown = operator.post(reverse(DEPLOY), order | {"force": "on"}).content.decode()
    assert "ArtifactRollback puts back what was there before." in shown
    assert "No restart, if it answers as it did the last time." in shown


def test_more_than_a_hundred_devices_are_confirmed_by_typing_their_number(
    operator: Client, make_device: MakeDevice, order: dict[str, Any]
) -> None:
    Device.objects.bulk_create(
        Device(name=f"box-{number:03}", device_type="box", driver="local") for number in range(101)
    )
    order = order | confirmed()
    for typed in ("", "100"):
        shown = operator.post(reverse(DEPLOY), order | {"typed": typed}).content.decode()
        assert "Type the number of devices" in shown
    assert not Deployment.objects.exists()
    operator.post(reverse(DEPLOY), order | {"typed": "101"})
    assert Deployment.objects.get().upgrades.count() == 101


def test_a_filter_has_the_words_of_the_device_list(
    operator: Client, make_device: MakeDevice, order: dict[str, Any]
) -> None:
    make_device("box-1")
    other = make_device("box-2")
    other.provides = {"artifact_name": "release-0"}
    other.save()
    del order["everything"]
    asked = order | {"where_installed": "release-0"}
    assert 'data-takes="1"' in operator.post(reverse(DEPLOY), asked).content.decode()
    operator.post(reverse(DEPLOY), asked | confirmed([other]))
    assert Deployment.objects.get().selection == {"filter": {"installed": "release-0"}}
    assert Upgrade.objects.get().device == other


def test_a_filter_comes_along_in_the_address(operator: Client) -> None:
    shown = operator.get(f"{reverse(DEPLOY)}?installed=release-0").content.decode()
    assert 'name="where_installed" value="release-0"' in shown


def test_a_wrong_filter_is_refused_with_its_reason(
    operator: Client, device: Device, order: dict[str, Any]
) -> None:
    del order["everything"]
    response = operator.post(reverse(DEPLOY), order | {"where_attribute": "no equals sign"})
    assert response.status_code == 422
    assert "Attributes are asked for as" in response.content.decode()


def test_two_ways_to_choose_are_one_too_many(
    operator: Client, device: Device, order: dict[str, Any]
) -> None:
    response = operator.post(reverse(DEPLOY), order | {"devices": [device.pk]})
    assert response.status_code == 422
    assert "Choose one way only" in response.content.decode()


def test_what_was_picked_in_the_device_list_comes_along(
    operator: Client, make_device: MakeDevice, order: dict[str, Any], actor: Actor
) -> None:
    picked = [make_device("box-1").pk, make_device("box-2").pk]
    make_device("box-3")
    selection = store_selection(ids=picked, words={}, actor=actor)
    shown = operator.get(f"{reverse(DEPLOY)}?selection={selection.pk}").content.decode()
    assert "2 devices" in shown
    del order["everything"]
    asked = order | {"selection": str(selection.pk)}
    asked |= confirmed(Device.objects.filter(pk__in=picked))
    operator.post(reverse(DEPLOY), asked)
    assert Deployment.objects.get().upgrades.count() == 2


def test_somebody_elses_selection_is_refused(
    operator: Client, device: Device, order: dict[str, Any]
) -> None:
    del order["everything"]
    gone = "00000000-0000-4000-8000-000000000000"
    response = operator.post(reverse(DEPLOY), order | {"selection": gone})
    assert response.status_code == 422
    assert "This selection is gone" in response.content.decode()


def test_a_group_means_its_devices_at_the_time_of_the_order(
    operator: Client, make_device: MakeDevice, order: dict[str, Any]
) -> None:
    make_device("box-1")
    member = make_device("lab-1")
    lab = DeviceGroup.objects.create(name="lab", kind="dynamic", filter={"q": "lab"})
    del order["everything"]
    response = operator.post(reverse(DEPLOY), order | {"groups": [lab.pk]})
    assert 'data-takes="1"' in response.content.decode()
    operator.post(reverse(DEPLOY), order | {"groups": [lab.pk]} | confirmed([member]))
    assert Deployment.objects.get().selection == {"devices": [], "groups": [lab.pk]}
    assert Upgrade.objects.get().device.name == "lab-1"


@pytest.mark.parametrize(
    ("without", "says"),
    [
        ("everything", "Choose devices, groups, a filter, or all devices."),
        ("reason", "This field is required"),
    ],
)
def test_an_order_that_says_too_little_is_asked_again(
    without: str, says: str, operator: Client, device: Device, order: dict[str, Any]
) -> None:
    del order[without]
    response = operator.post(reverse(DEPLOY), order)
    assert response.status_code == 422
    assert says in response.content.decode()


def test_a_deployment_for_nobody_cannot_be_confirmed(
    operator: Client, make_device: MakeDevice, order: dict[str, Any]
) -> None:
    make_device("toaster", device_type="toaster")
    shown = operator.post(reverse(DEPLOY), order).content.decode()
    assert "Nobody would get it." in shown
    refused = operator.post(reverse(DEPLOY), order | confirmed([]))
    assert refused.status_code == 422
    assert "It fits none of the chosen devices" in refused.content.decode()
    assert not Deployment.objects.exists()


def test_a_deployments_page_counts_by_outcome_and_lists_fifty(
    operator: Client, deployment: Deployment
) -> None:
    page = reverse("admin:updates_deployment_change", args=[deployment.pk])
    shown = operator.get(page).content.decode()
    assert 'data-count="waiting"><strong>60</strong>' in shown
    assert shown.count('data-label="Outcome"') == 50
    assert operator.get(page + "?page=2").content.decode().count('data-label="Outcome"') == 10
    assert "No upgrades yet." in operator.get(page + "?show=broken").content.decode()


def test_counts_are_sent_when_they_change_until_it_is_over(
    operator: Client, deployment: Deployment, actor: Actor
) -> None:
    page = operator.get(reverse("admin:updates_deployment_change", args=[deployment.pk]))
    counts = reverse("admin:updates_deployment_counts", args=[deployment.pk])
    mark = mark_in(page.content)
    assert operator.get(counts, {"mark": mark}).status_code == 204
    cancel_deployment(deployment=deployment, actor=actor)
    news = operator.get(counts, {"mark": mark})
    assert news.status_code == 286
    assert 'data-count="cancelled"><strong>60</strong>' in news.content.decode()
    assert "hx-get" not in news.content.decode()


def test_what_was_asked_to_stop_already_is_not_offered_again(
    operator: Client, deployment: Deployment, actor: Actor
) -> None:
    page = reverse("admin:updates_deployment_change", args=[deployment.pk])
    button = reverse("admin:updates_deployment_cancel", args=[deployment.pk])
    running, *_ = deployment.upgrades.order_by("created_at", "id")
    brought_to(State.INSTALLING, held(running))
    request_cancel(str(running.pk), by="bob")
    assert "59 of its upgrades can still be cancelled." in operator.get(button).content.decode()
    cancel_deployment(deployment=deployment, actor=actor)
    assert "0 of its upgrades can still be cancelled." in operator.get(button).content.decode()
    shown = operator.get(page).content.decode()
    assert "All of it that can be cancelled has been asked to." in shown
    assert f'href="{button}"' not in shown


def test_cancel_all_asks_first_and_cancels_what_can_be(
    operator: Client, deployment: Deployment
) -> None:
    page = reverse("admin:updates_deployment_cancel", args=[deployment.pk])
    assert "60 of its upgrades can still be cancelled." in operator.get(page).content.decode()
    assert operator.post(page, {"reason": "The wrong one"}).status_code == 302
    assert not deployment.upgrades.exclude(state=State.FINISHED).exists()
    again = operator.get(reverse("admin:updates_deployment_change", args=[deployment.pk]))
    assert "Nothing of it can be cancelled any more." in again.content.decode()


def test_the_page_says_how_far_the_cancel_of_a_large_deployment_is(
    operator: Client, deployment: Deployment, actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(order_cancels, "AT_ONCE", 10)
    monkeypatch.setattr(order_cancels, "PIECE", 25)
    cancel_deployment(deployment=deployment, actor=actor)
    order_cancels.carry_out_cancel(str(deployment.pk))
    page = reverse("admin:updates_deployment_change", args=[deployment.pk])
    shown = operator.get(page).content.decode()
    assert 'data-count="cancelled"><strong>25</strong>' in shown
    assert "35 upgrades have not heard of it yet" in shown
    assert f"{actor.name} has asked for that, and it is being done." in shown
    order_cancels.carry_out_cancel(str(deployment.pk))
    order_cancels.carry_out_cancel(str(deployment.pk))
    assert "not heard of it yet" not in operator.get(page).content.decode()


def test_choosing_again_keeps_what_was_chosen(
    operator: Client, make_device: MakeDevice, order: dict[str, Any]
) -> None:
    make_device("box-1")
    lab = DeviceGroup.objects.create(name="lab", kind="dynamic", filter={"q": "box"})
    del order["everything"]
    chosen = order | {"groups": [lab.pk], "force": "on", "reason": "The door sticks"}
    preview = operator.post(reverse(DEPLOY), chosen).content.decode()
    assert 'data-force="yes"' in preview
    assert re.search(r'<button type="submit" name="again"[^>]*formnovalidate>', preview)
    again = operator.post(reverse(DEPLOY), chosen | {"again": "yes", "expected": "1"})
    form = again.context["form"]
    assert again.status_code == 200
    assert [str(form[word].value()) for word in ("reason", "force")] == ["The door sticks", "True"]
    assert form["groups"].value() == [str(lab.pk)]
    assert ">The door sticks</textarea>" in again.content.decode()
    assert not Deployment.objects.exists()


def test_choosing_again_keeps_a_filter_and_what_was_picked(
    operator: Client, make_device: MakeDevice, order: dict[str, Any], actor: Actor
) -> None:
    picked = store_selection(ids=[make_device("box-1").pk], words={}, actor=actor)
    del order["everything"]
    asked = order | {"again": "yes", "where_q": "box"}
    assert 'name="where_q" value="box"' in operator.post(reverse(DEPLOY), asked).content.decode()
    asked = order | {"again": "yes", "selection": str(picked.pk)}
    shown = operator.post(reverse(DEPLOY), asked).content.decode()
    assert "1 device" in shown
    assert str(picked.pk) in shown
