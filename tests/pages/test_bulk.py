"""One verb for many devices: the confirmation, the pieces, who may."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoCaptureOnCommitCallbacks

from devices import jobs
from devices.models import BulkOrder, Device, DeviceGroup
from devices.services import bulk
from devices.services.bulk import (
    Verb,
    carry_out_piece,
    mark_of_these,
    order_bulk,
    unfinished_orders,
)
from devices.services.selections import store_selection
from portal.core.actors import PORTAL, Actor
from portal.core.errors import NotPermitted, Refused
from portal.core.models import AuditEvent
from tests.environment.redis import RedisServer
from tests.journal.rows import new_device, new_upgrade
from tests.pages.conftest import MakeDevice
from tests.pages.meanwhile import just_before
from tests.pages.rows import rows
from updates import dispatch
from updates.services.recover import recover

pytestmark = pytest.mark.database


@pytest.fixture
def group(db: None) -> DeviceGroup:
    return DeviceGroup.objects.create(name="pilot")


@pytest.fixture
def boxes(db: None) -> list[Device]:
    return [new_device(f"box-{number}") for number in range(3)]


def page_for(verb: str, actor: Actor) -> str:
    """The confirmation of a verb for the whole fleet."""
    selection = store_selection(ids=[], words={}, actor=actor)
    return f"{reverse('admin:devices_device_bulk', args=[verb])}?selection={selection.pk}"


def hidden(page: str, devices: Iterable[Device] | None = None) -> dict[str, str]:
    """What the page keeps for its confirmation, when it showed these; by default all."""
    shown = Device.objects.all() if devices is None else devices
    return {"selection": page.rpartition("=")[2], "expected": mark_of_these(d.pk for d in shown)}


def test_the_confirmation_says_how_many_and_of_what_kinds(
    operator: Client, actor: Actor, boxes: list[Device]
) -> None:
    new_device("crate-1", device_type="crate", unreachable_reason="No route")
    shown = operator.get(page_for("refresh", actor)).content.decode()
    assert 'data-devices="4"' in shown
    assert "1 of them unreachable" in shown
    assert "3 box" in shown
    assert "1 crate" in shown
    assert "4 local" in shown


def test_a_few_are_dealt_with_at_once(
    operator: Client, actor: Actor, boxes: list[Device], group: DeviceGroup
) -> None:
    page = page_for("add_to_group", actor)
    order = hidden(page) | {"reason": "The pilot", "group": str(group.pk)}
    shown = operator.post(page, order, follow=True).content.decode()
    assert 'data-over="yes"' in shown
    assert set(group.members.all()) == set(boxes)
    entry = AuditEvent.objects.get(action="devices.add_to_group")
    assert (entry.subject, entry.reason, entry.data["devices"]) == ("pilot", "The pilot", 3)
    away = page_for("remove_from_group", actor)
    operator.post(away, hidden(away) | {"reason": "Over", "group": str(group.pk)})
    assert not group.members.exists()


@pytest.mark.parametrize("missing", ["reason", "group"])
def test_nothing_happens_without_a_reason_and_a_group(
    missing: str, operator: Client, actor: Actor, boxes: list[Device], group: DeviceGroup
) -> None:
    page = page_for("add_to_group", actor)
    order = hidden(page) | {"reason": "The pilot", "group": str(group.pk)}
    before = rows()
    assert operator.post(page, order | {missing: ""}).status_code == 422
    assert rows() == before


def test_a_fleet_that_changed_meanwhile_is_looked_at_again(
    operator: Client, actor: Actor, boxes: list[Device], group: DeviceGroup
) -> None:
    page = page_for("add_to_group", actor)
    order = hidden(page) | {"reason": "The pilot", "group": str(group.pk)}
    new_device("box-9")
    answer = operator.post(page, order)
    assert answer.status_code == 422
    assert "it would be 4 devices now, and not 3" in answer.content.decode()
    assert f'value="{hidden(page)["expected"]}"' in answer.content.decode()
    assert not group.members.exists()


def test_another_device_in_the_place_of_one_is_noticed(
    operator: Client, actor: Actor, boxes: list[Device], group: DeviceGroup
) -> None:
    page = page_for("add_to_group", actor)
    order = hidden(page) | {"reason": "The pilot", "group": str(group.pk)}
    boxes[0].delete()
    new_device("box-9")
    answer = operator.post(page, order)
    assert answer.status_code == 422
    assert "the devices are not those that you saw" in answer.content.decode()
    assert not group.members.exists()


def test_what_was_checked_is_what_is_ordered(
    operator: Client, actor: Actor, boxes: list[Device], group: DeviceGroup
) -> None:
    page = page_for("add_to_group", actor)
    order = hidden(page) | {"reason": "The pilot", "group": str(group.pk)}
    with just_before('ORDER BY "devices_device"."name"', lambda: new_device("box-9")):
        answer = operator.post(page, order)
    assert answer.status_code == 422
    assert "it would be 4 devices now, and not 3" in answer.content.decode()
    assert not group.members.exists()


def test_for_more_than_a_hundred_the_number_is_typed(
    operator: Client, actor: Actor, group: DeviceGroup
) -> None:
    for number in range(101):
        new_device(f"box-{number}")
    page = page_for("add_to_group", actor)
    assert "Type 101 to say that you mean so many." in operator.get(page).content.decode()
    order = hidden(page) | {"reason": "The pilot", "group": str(group.pk)}
    for typed in ("", "100"):
        assert operator.post(page, order | {"number": typed}).status_code == 422
    assert not BulkOrder.objects.exists()
    assert operator.post(page, order | {"number": "101"}).status_code == 302
    assert BulkOrder.objects.get().finished_at is None


def test_somebody_elses_selection_is_not_there(viewer: Client, alice: User, actor: Actor) -> None:
    new_device("box-1")
    page = page_for("refresh", actor)
    alice.user_permissions.clear()
    viewer_page = page.replace("/refresh/", "/explode/")
    assert viewer.get(page).status_code == 403
    assert viewer.get(viewer_page).status_code == 404


def test_what_has_a_history_stays_and_is_named(
    operator: Client, actor: Actor, boxes: list[Device]
) -> None:
    new_upgrade(boxes[0])
    page = page_for("delete", actor)
    answer = operator.post(page, hidden(page) | {"reason": "Old"}, follow=True)
    assert [device.name for device in Device.objects.all()] == ["box-0"]
    assert "box-0 is part of the history, so it stays." in answer.content.decode()
    order = BulkOrder.objects.get()
    assert (order.done, order.failed) == (3, 1)


def test_asking_devices_is_a_job_and_each_piece_another_one(
    actor: Actor,
    make_device: MakeDevice,
    redis_server: RedisServer,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    for number in range(3):
        make_device(f"box-{number}")
    monkeypatch.setattr(bulk, "PIECE", 2)
    with django_capture_on_commit_callbacks(execute=True):
        order = order_bulk(
            verb=Verb.REFRESH, devices=Device.objects.all(), actor=actor, reason="Look"
        )
    assert dispatch.queued() == {f"bulk-{order.pk}-0"}
    with django_capture_on_commit_callbacks(execute=True):
        assert jobs.run_bulk(str(order.pk)) == "2 of 3"
    assert f"bulk-{order.pk}-2" in dispatch.queued()
    assert jobs.run_bulk(str(order.pk)) == "3 of 3"
    assert Device.objects.exclude(last_seen=None).count() == 3
    order.refresh_from_db()
    assert order.finished_at is not None
    assert jobs.run_bulk(str(order.pk)) == "3 of 3"


def test_an_order_that_redis_forgot_is_put_back(
    actor: Actor,
    redis_server: RedisServer,
    boxes: list[Device],
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    order = order_bulk(verb=Verb.REFRESH, devices=Device.objects.all(), actor=actor, reason="Look")
    assert dispatch.queued() == set()
    with django_capture_on_commit_callbacks(execute=True):
        recover()
    assert dispatch.queued() == {f"bulk-{order.pk}-0"}
    assert list(unfinished_orders()) == [order]


def test_a_job_too_many_counts_nothing_twice(actor: Actor, boxes: list[Device]) -> None:
    order = order_bulk(verb=Verb.REFRESH, devices=Device.objects.all(), actor=actor, reason="Look")
    BulkOrder.objects.filter(pk=order.pk).update(done=2)
    carry_out_piece(order.pk)
    again = carry_out_piece(order.pk)
    assert (again.done, again.total) == (3, 3)


def test_who_lost_the_permission_meanwhile_changes_nothing(
    actor: Actor, alice: User, boxes: list[Device]
) -> None:
    order = order_bulk(verb=Verb.REFRESH, devices=Device.objects.all(), actor=actor, reason="Look")
    alice.user_permissions.clear()
    done = carry_out_piece(order.pk)
    assert (done.done, done.failed) == (3, 3)
    assert "lacks the permission devices.refresh_device" in done.failures[0][1]
    assert not Device.objects.exclude(last_seen=None).exists()


def test_the_order_itself_asks_for_the_permission_and_for_somebody(
    actor: Actor, alice: User, boxes: list[Device]
) -> None:
    devices = Device.objects.all()
    with pytest.raises(NotPermitted):
        order_bulk(verb=Verb.REFRESH, devices=devices, actor=PORTAL, reason="Look")
    with pytest.raises(Refused, match="No device is left"):
        order_bulk(verb=Verb.REFRESH, devices=devices.none(), actor=actor, reason="Look")
    with pytest.raises(Refused, match="Which group"):
        order_bulk(verb=Verb.ADD_TO_GROUP, devices=devices, actor=actor, reason="Look")
    everyone = DeviceGroup.objects.create(name="everyone", kind="dynamic")
    with pytest.raises(Refused, match="dynamic"):
        order_bulk(
            verb=Verb.ADD_TO_GROUP, devices=devices, actor=actor, reason="Look", group=everyone
        )


def test_the_orders_page_polls_until_it_is_over(
    operator: Client, actor: Actor, boxes: list[Device]
) -> None:
    order = order_bulk(verb=Verb.REFRESH, devices=Device.objects.all(), actor=actor, reason="Look")
    page = reverse("admin:devices_device_bulk_order", args=[order.pk])
    live = reverse("admin:devices_device_bulk_order_live", args=[order.pk])
    assert f'hx-get="{live}?mark=' in operator.get(page).content.decode()
    assert operator.get(live).status_code == 200
    carry_out_piece(order.pk)
    assert operator.get(live).status_code == 286
    assert f'hx-get="{live}' not in operator.get(page).content.decode()


def test_an_order_is_found_again(
    operator: Client, viewer: Client, boxes: list[Device], actor: Actor
) -> None:
    found = reverse("admin:devices_device_bulk_orders")
    assert "Nobody has ordered anything for many devices yet." in viewer.get(found).content.decode()
    order = order_bulk(
        verb=Verb.REFRESH, devices=Device.objects.all(), actor=actor, reason="Who is there?"
    )
    shown = viewer.get(found).content.decode()
    assert reverse("admin:devices_device_bulk_order", args=[order.pk]) in shown
    assert "Refresh: 3 devices" in shown
    assert "Who is there?" in shown
    assert found in operator.get(reverse("admin:devices_device_changelist")).content.decode()
