"""Two people at one row: nobody's change is undone unseen, whether they have a form open, a file, or ask the device itself."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction
from django.test import Client

from devices.models import Credential, Device, DeviceGroup
from devices.services.imports import import_devices
from devices.services.reach import refresh_device
from portal.core.actors import PORTAL
from tests.environment.waiting import wait_until
from tests.journal.rows import new_device

pytestmark = pytest.mark.database

HELD_UP = "SELECT count(*) FROM pg_locks WHERE NOT granted"
TWO_ROWS = b"name,device_type,attributes\nbox-1,crate,floor=2\nbox-2,box,floor=1"


def opened(client: Client, address: str) -> dict[str, str]:
    """What the page's form sends back of itself."""
    found = re.search(r'name="_seen" value="(\w+)"', client.get(address).content.decode())
    assert found is not None
    return {"_seen": found[1]}


def test_who_saves_last_is_told_what_changed_and_may_save_once_more(operator: Client) -> None:
    device = new_device("box-1", root="/a")
    address = f"/devices/device/{device.pk}/edit/"
    typed = {"name": "box-1", "device_type": "crate", "driver": "local", "port": "22", "root": "/a"}
    seen = opened(operator, address)
    Device.objects.update(root="/colleague")

    told = operator.post(address, typed | seen)
    words = told.content.decode()
    assert "Somebody changed this while you had it open, so nothing was saved." in words
    assert "Root: /colleague" in words
    assert Device.objects.values_list("device_type", "root").get() == ("box", "/colleague")

    again = re.search(r'name="_seen" value="(\w+)"', words)
    assert again is not None
    assert operator.post(address, typed | {"_seen": again[1]}).status_code == 302
    assert Device.objects.values_list("device_type", "root").get() == ("crate", "/a")


def test_what_the_form_does_not_hold_may_change_meanwhile(operator: Client) -> None:
    device = new_device("box-1", root="/a")
    address = f"/devices/device/{device.pk}/edit/"
    typed = {"name": "box-2", "device_type": "box", "driver": "local", "port": "22", "root": "/a"}
    seen = opened(operator, address)
    Device.objects.update(unreachable_reason="It is asleep.", attributes={"site": "Bonn"})
    assert operator.post(address, typed | seen).status_code == 302
    assert Device.objects.values_list("name", "attributes").get() == ("box-2", {"site": "Bonn"})


def test_groups_and_credentials_are_held_to_it_too(operator: Client) -> None:
    group = DeviceGroup.objects.create(name="lab", kind="static")
    key = Credential.objects.create(name="key", kind="password", username="root", secret="s3cret")
    edits = {
        f"/devices/devicegroup/{group.pk}/edit/": {"name": "field", "kind": "static"},
        f"/devices/credential/{key.pk}/change/": {
            "name": "field", "kind": "password", "username": "root",
        },
    }  # fmt: skip
    seen = {address: opened(operator, address) for address in edits}
    DeviceGroup.objects.update(name="colleague's")
    Credential.objects.update(name="colleague's")
    for address, typed in edits.items():
        assert (
            "Name: colleague&#x27;s"
            in operator.post(address, typed | seen[address]).content.decode()
        )
    assert DeviceGroup.objects.get().name == Credential.objects.get().name == "colleague's"


def test_the_filter_of_a_group_is_held_to_it_too(operator: Client) -> None:
    group = DeviceGroup.objects.create(name="lab", kind="dynamic", filter={"device_type": "box"})
    address = f"/devices/devicegroup/{group.pk}/edit/"
    typed = {"name": "lab", "kind": "dynamic", "device_type": "box", "description": "Ours"}
    seen = opened(operator, address)
    DeviceGroup.objects.update(filter={"device_type": "crate"})
    told = operator.post(address, typed | seen).content.decode()
    assert "Device type: crate" in told
    assert DeviceGroup.objects.get().filter == {"device_type": "crate"}


def test_asking_a_device_keeps_what_others_wrote_meanwhile() -> None:
    device = new_device("box-1", root="/", attributes={"site": "Leipzig"})
    Device.objects.update(attributes={"site": "Bonn", "floor": 1})
    refreshed = refresh_device(device=device, actor=PORTAL)
    assert refreshed.attributes.items() > {"site": "Bonn", "floor": 1}.items()
    assert refreshed.attributes["kernel"]


def carry_out(content: bytes) -> None:
    """The file is imported, in a thread of its own."""
    try:
        import_devices(content=content, actor=PORTAL, reason="New")
    finally:
        connection.close()


def is_held_up() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(HELD_UP)
        return bool(cursor.fetchone()[0])


@pytest.mark.only_postgresql
@pytest.mark.database(transaction=True)
@pytest.mark.parametrize("content", [b"name,device_type\nbox-1,crate", TWO_ROWS])
def test_a_file_waits_for_who_is_changing_one_of_its_devices(content: bytes) -> None:
    new_device("box-1", root="/a", attributes={"site": "Leipzig", "floor": 2})
    new_device("box-2", root="/a", attributes={"floor": 1})
    with ThreadPoolExecutor(1) as threads:
        with transaction.atomic():
            Device.objects.filter(name="box-1").update(
                root="/colleague", attributes={"site": "Bonn", "floor": 2}
            )
            ends = threads.submit(carry_out, content)
            wait_until(is_held_up, seconds=20, what="the file's turn")
        ends.result()
    device = Device.objects.get(name="box-1")
    assert (device.device_type, device.root) == ("crate", "/colleague")
    assert device.attributes == {"site": "Bonn", "floor": 2}


@pytest.mark.only_postgresql
@pytest.mark.database(transaction=True)
def test_a_file_holds_no_device_that_it_does_not_change() -> None:
    new_device("box-1", attributes={"floor": 1})
    new_device("box-2", attributes={"floor": 1})
    with ThreadPoolExecutor(1) as threads, transaction.atomic():
        Device.objects.filter(name="box-2").update(last_seen=None)
        threads.submit(carry_out, TWO_ROWS).result(timeout=20)
    assert Device.objects.get(name="box-1").attributes == {"floor": "2"}
