"""One verb for many devices, over the API."""

from __future__ import annotations

import pytest

from devices.jobs import run_bulk
from devices.models import BulkOrder, Device, DeviceGroup
from devices.services.bulk import MEANT_ABOVE
from portal.core.models import AuditEvent
from tests.api.caller import Caller
from tests.api.conftest import MakeDevice
from tests.api.problems import assert_problem
from tests.environment.redis import RedisServer

pytestmark = pytest.mark.database


def test_devices_are_put_into_a_group_and_the_order_says_so(
    operator: Caller, make_device: MakeDevice
) -> None:
    devices = [make_device(), make_device()]
    group = DeviceGroup.objects.create(name="Pilot")
    answer = operator.post(
        "bulk-orders",
        verb="add_to_group",
        devices=[device.pk for device in devices],
        group=group.pk,
        reason="They go first",
    )
    assert (answer.status, answer.body["done"], answer.body["failed"]) == (201, 2, 0)
    assert answer.body["finished_at"]
    assert set(group.members.all()) == set(devices)
    assert operator.get(answer.headers["Location"]).body == answer.body
    record = AuditEvent.objects.get(action="devices.add_to_group")
    assert (record.actor, record.reason) == ("alice", "They go first")


def test_a_filter_chooses_devices_as_in_their_list(
    operator: Caller, make_device: MakeDevice
) -> None:
    one, _other = make_device(), make_device(device_type="teapot")
    group = DeviceGroup.objects.create(name="Pilot")
    words = {"verb": "add_to_group", "group": group.pk, "reason": "They go first"}
    answer = operator.post("bulk-orders", filter={"device_type": "box"}, **words)
    assert (answer.status, list(group.members.all())) == (201, [one])


def test_what_asks_devices_is_carried_out_by_workers(
    operator: Caller, make_device: MakeDevice, redis_server: RedisServer
) -> None:
    make_device()
    answer = operator.post("bulk-orders", verb="refresh", all=True, reason="Who are they?")
    assert (answer.status, answer.body["finished_at"]) == (201, None)
    run_bulk(answer.body["id"])
    assert operator.get(f"bulk-orders/{answer.body['id']}").body["done"] == 1


def test_the_same_order_sent_again_is_carried_out_once(
    operator: Caller, make_device: MakeDevice
) -> None:
    make_device()
    order = {"verb": "delete", "all": True, "reason": "Scrapped"}
    first = operator.with_key("one").post("bulk-orders", **order)
    again = operator.with_key("one").post("bulk-orders", **order)
    assert again.body == first.body
    assert (BulkOrder.objects.count(), Device.objects.count()) == (1, 0)


def test_orders_that_make_no_sense_are_refused(operator: Caller, make_device: MakeDevice) -> None:
    make_device()
    for order in (
        {"verb": "paint", "all": True, "reason": "So"},
        {"verb": "refresh", "reason": "So"},
        {"verb": "refresh", "all": True},
    ):
        assert operator.post("bulk-orders", **order).status == 400
    answer = operator.post("bulk-orders", verb="add_to_group", all=True, reason="So")
    assert_problem(answer, status=422, code="FW-100")
    assert not BulkOrder.objects.exists()


def test_who_may_not_do_it_orders_nothing(viewer: Caller, make_device: MakeDevice) -> None:
    make_device()
    for verb in ("refresh", "delete"):
        answer = viewer.post("bulk-orders", verb=verb, all=True, reason="So")
        assert answer.status == 403
    assert viewer.get("bulk-orders").status == 200
    assert not BulkOrder.objects.exists()


def test_an_order_for_many_devices_says_how_many_it_means(operator: Caller) -> None:
    Device.objects.bulk_create(
        Device(name=f"box-{number}", device_type="box", driver=Device.Driver.LOCAL)
        for number in range(MEANT_ABOVE + 1)
    )
    group = DeviceGroup.objects.create(name="Pilot")
    order = {"verb": "add_to_group", "group": group.pk, "all": True, "reason": "So"}
    for wrong, says in (({}, 'would be 101 devices: send it as "count"'), ({"count": 100}, "101")):
        answer = operator.post("bulk-orders", **order, **wrong)
        assert_problem(answer, status=422, code="FW-100")
        assert says in answer.body["detail"]
    assert not BulkOrder.objects.exists()
    assert operator.post("bulk-orders", **order, count=101).body["total"] == 101
