"""Who asks to be let in, over the API."""

from __future__ import annotations

import pytest

from devices.models import AuthSet, Device, DeviceIdentity
from tests.api.caller import Caller
from tests.api.problems import assert_problem
from tests.pulled.pretend import PretendDevice, public_text
from tests.pulled.rows import asking_device

pytestmark = pytest.mark.database


def test_one_is_found_accepted_rejected_and_forgotten(operator: Caller) -> None:
    key = asking_device("aa:01")
    asking_device("bb:01")
    [row] = operator.get("device-keys", status="pending", q="aa").body["results"]
    assert (row["id"], row["identity"], row["device"]) == (str(key.pk), {"mac": "aa:01"}, None)
    accepted = operator.post(f"device-keys/{key.pk}/accept")
    device = Device.objects.get()
    assert (accepted.status, accepted.body["status"]) == (200, "accepted")
    assert (accepted.body["device"], accepted.body["decided_by_name"]) == (device.pk, "alice")
    assert_problem(
        operator.delete(f"device-keys/{key.pk}?reason=Scrapped"), status=422, code="FW-100"
    )
    rejected = operator.post(f"device-keys/{key.pk}/reject", reason="Not ours")
    assert rejected.body["status"] == "rejected"
    assert operator.delete(f"device-keys/{key.pk}?reason=Scrapped").status == 204
    assert not AuthSet.objects.filter(pk=key.pk).exists()


def test_one_is_preauthorised_and_let_in_at_once(operator: Caller) -> None:
    device = PretendDevice({"mac": "01"})
    order = {"identity": {"mac": "01"}, "public_key": public_text(device.key), "reason": "Factory"}
    made = operator.post("device-keys", **order)
    assert (made.status, made.body["status"]) == (201, "preauthorized")
    assert operator.get(made.headers["Location"]).body == made.body
    assert device.ask().status_code == 200
    assert_problem(operator.post("device-keys", **order), status=409, code="FW-101")


def test_what_nobody_could_ask_with_is_refused_at_its_field(operator: Caller) -> None:
    answer = operator.post("device-keys", identity={"mac": "1"}, public_key="x", reason="x")
    assert_problem(answer, status=400, code="API-400")
    assert "public_key" in answer.body["errors"]
    assert_problem(operator.get("device-keys", status="noauth"), status=400, code="API-400")


def test_one_is_decommissioned(operator: Caller) -> None:
    device = PretendDevice({"mac": "01"})
    device.ask()
    operator.post(f"device-keys/{AuthSet.objects.get().pk}/accept")
    assert device.ask().status_code == 200
    place = f"devices/{Device.objects.get().pk}/decommission"
    assert operator.post(place, reason="Scrapped").status == 200
    assert device.ask().status_code == 401
    box = Device.objects.create(name="box", device_type="box", driver=Device.Driver.LOCAL)
    assert_problem(
        operator.post(f"devices/{box.pk}/decommission", reason="x"), status=422, code="FW-100"
    )


def test_many_are_rejected_and_forgotten_and_a_big_number_is_said(operator: Caller) -> None:
    identity = asking_device("aa:1").identity
    AuthSet.objects.bulk_create(
        AuthSet(identity=identity, public_key="x", key_hash=f"{number:064}", status="pending")
        for number in range(100)
    )
    order = {"q": "aa", "reason": "A flood"}
    refused = operator.post("device-keys/reject-many", **order)
    assert_problem(refused, status=422, code="FW-100")
    assert 'It would be 101 keys: send it as "count"' in refused.body["detail"]
    rejected = operator.post("device-keys/reject-many", **order, count=101)
    assert (rejected.status, rejected.body) == (200, {"count": 101})
    assert operator.post("device-keys/forget-many", **order).body == {"count": 0}
    forgotten = operator.post("device-keys/forget-many", **order, status="rejected", count=101)
    assert forgotten.body == {"count": 101}
    assert not DeviceIdentity.objects.exists()
    assert_problem(
        operator.post("device-keys/forget-many", **order, status="accepted"),
        status=400, code="API-400",
    )  # fmt: skip
