"""Devices that pull, as mender-cli and scripts in the field list them."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from pytest_django import DjangoAssertNumQueries

from devices.models import AuthSet, Device
from devices.services.enrolment import accept, decommission, reject
from portal.core.actors import PORTAL
from portal.core.tokens import create_token
from tests.mender_management.caller import BASE, Script
from tests.pulled.pretend import PretendDevice

pytestmark = pytest.mark.database

DEVICES = f"{BASE}v2/devauth/devices"
COUNT = f"{BASE}v2/devauth/devices/count"
INVENTORY = f"{BASE}v1/inventory/devices"


@pytest.fixture
def script(db: None) -> Script:
    root = User.objects.create_superuser("root")
    return Script(create_token(user=root, name="tests", actor=PORTAL))


def asked(mac: str) -> PretendDevice:
    device = PretendDevice({"mac": mac})
    device.ask()
    return device


def key_of(mac: str) -> AuthSet:
    return AuthSet.objects.get(identity__id_data={"mac": mac})


def listed(script: Script, **words: str) -> dict[str, str]:
    rows: list[dict[str, Any]] = script.get(DEVICES, **words).json()
    return {row["identity_data"]["mac"]: row["status"] for row in rows}


def test_each_is_what_the_best_of_its_keys_is(script: Script) -> None:
    for mac in ("01", "02", "03"):
        asked(mac)
    accept(auth_set=key_of("02"), actor=PORTAL)
    reject(auth_set=key_of("03"), actor=PORTAL)
    asked("02")
    assert listed(script) == {"01": "pending", "02": "accepted", "03": "rejected"}
    assert listed(script, status="pending") == {"01": "pending"}
    assert listed(script, status="rejected") == {"03": "rejected"}
    assert script.get(COUNT, status="accepted").json() == {"count": 1}
    assert script.get(COUNT).json() == {"count": 3}
    assert script.get(DEVICES, status="noauth").status_code == 400


def test_a_row_says_what_mender_cli_reads(script: Script) -> None:
    asked("01")
    [row] = script.get(DEVICES).json()
    key = key_of("01")
    assert isinstance(row["id"], str)
    assert row["decommissioning"] is False
    assert row["created_ts"] <= row["updated_ts"]
    [shown] = row["auth_sets"]
    assert (shown["id"], shown["pubkey"]) == (str(key.pk), key.public_key)
    assert (shown["status"], shown["identity_data"]) == ("pending", {"mac": "01"})


def test_one_that_was_decommissioned_is_listed_no_more(script: Script) -> None:
    asked("01")
    device = accept(auth_set=key_of("01"), actor=PORTAL)
    decommission(device=device, actor=PORTAL)
    assert listed(script) == {}


def test_the_inventory_is_of_devices_that_were_let_in(script: Script) -> None:
    one = asked("01")
    asked("02")
    accept(auth_set=key_of("01"), actor=PORTAL)
    one.ask()
    one.report({"device_type": "box", "artifact_name": "release-1", "rooms": ["a", "b"]})
    [row] = script.get(INVENTORY).json()
    told = {(entry["scope"], entry["name"]): entry["value"] for entry in row["attributes"]}
    assert told["identity", "mac"] == "01"
    assert told["inventory", "device_type"] == "box"
    assert told["inventory", "artifact_name"] == "release-1"
    assert told["inventory", "rooms"] == ["a", "b"]
    [same] = script.get(DEVICES, status="accepted").json()
    assert row["id"] == same["id"]


def test_devices_that_are_pushed_to_are_no_part_of_it(script: Script) -> None:
    Device.objects.create(name="box", device_type="box", driver=Device.Driver.LOCAL)
    assert script.get(INVENTORY).json() == []


@pytest.mark.parametrize("address", [DEVICES, INVENTORY])
def test_pages_cost_the_same_however_many_there_are(
    script: Script, address: str, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(5):
        asked(f"{number}")
        accept(auth_set=key_of(f"{number}"), actor=PORTAL)
    with django_assert_max_num_queries(6):
        answer = script.get(address, per_page="4")
    assert len(answer.json()) == 4
    assert answer.headers["X-Total-Count"] == "5"
