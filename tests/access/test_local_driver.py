"""Whoever makes the portal's own host a device can run commands there: that takes a permission of its own."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from devices.models import BulkOrder, Credential, Device
from devices.services import delete_device, save_device
from devices.services.bulk import order_bulk
from portal.core.actors import actor_of
from portal.core.errors import NotPermitted
from tests.access.conftest import MakePerson, browser_of

pytestmark = pytest.mark.database

ADD = "admin:devices_device_add"


@pytest.fixture
def operator(make_person: MakePerson) -> Client:
    return browser_of(make_person("operator"))


@pytest.fixture
def administrator(make_person: MakePerson) -> Client:
    return browser_of(make_person("administrator"))


@pytest.fixture
def localhost(db: None, tmp_path: Path) -> Device:
    return Device.objects.create(
        name="localhost", device_type="box", driver=Device.Driver.LOCAL, root=str(tmp_path)
    )


@pytest.fixture
def remote(db: None) -> Device:
    key = Credential.objects.create(name="key", kind="password", username="root", secret="open")
    return Device.objects.create(
        name="far", device_type="box", driver=Device.Driver.SSH, host="192.0.2.9", credential=key
    )


def words(driver: str) -> dict[str, str]:
    return {"name": "new", "device_type": "box", "driver": driver, "port": "22", "root": "/"}


def test_an_operator_is_not_offered_the_local_driver(operator: Client) -> None:
    shown = operator.get(reverse(ADD)).content.decode()
    assert 'value="ssh"' in shown
    assert 'value="local"' not in shown


def test_an_operator_cannot_post_it_either(operator: Client) -> None:
    assert operator.post(reverse(ADD), words("local")).status_code == 200
    assert not Device.objects.exists()


def test_an_administrator_can(administrator: Client) -> None:
    administrator.post(reverse(ADD), words("local"))
    assert Device.objects.get().driver == "local"


def test_an_operator_cannot_edit_the_portals_own_host(operator: Client, localhost: Device) -> None:
    edit = reverse("admin:devices_device_edit", args=[localhost.pk])
    assert operator.post(edit, words("ssh")).status_code == 403
    page = operator.get(reverse("admin:devices_device_change", args=[localhost.pk]))
    assert "You lack the permission devices.use_local_driver." in page.content.decode()


@pytest.mark.parametrize(("before", "after"), [("ssh", "local"), ("local", "ssh")])
def test_the_service_refuses_both_ways(
    before: str, after: str, make_person: MakePerson, localhost: Device, remote: Device
) -> None:
    device = localhost if before == "local" else remote
    device.driver, device.host, device.credential = after, remote.host, remote.credential
    with pytest.raises(NotPermitted, match="use_local_driver"):
        save_device(device=device, actor=actor_of(make_person("operator")))
    assert Device.objects.get(pk=device.pk).driver == before


def test_the_api_refuses_it(operator: Client) -> None:
    order = {"name": "new", "device_type": "box", "driver": "local"}
    response = operator.post("/api/v1/devices", order, content_type="application/json")
    assert (response.status_code, response.json()["code"]) == (403, "FW-102")
    assert not Device.objects.exists()


@pytest.fixture
def deleter(make_person: MakePerson) -> User:
    """Somebody who may delete devices, and whose portal's own host is not theirs to touch."""
    person = make_person("operator")
    person.user_permissions.add(Permission.objects.get(codename="delete_device"))
    return User.objects.get(pk=person.pk)


def test_the_portals_own_host_is_not_deleted_without_it(deleter: User, localhost: Device) -> None:
    with pytest.raises(NotPermitted, match="use_local_driver"):
        delete_device(device=localhost, actor=actor_of(deleter), reason="By mistake")
    browser = browser_of(deleter)
    page = reverse("admin:devices_device_delete", args=[localhost.pk])
    assert browser.post(page, {"reason": "By mistake"}).status_code == 403
    api = f"/api/v1/devices/{localhost.pk}?reason=Mistake"
    assert browser.delete(api).status_code == 403
    assert Device.objects.exists()


def test_of_many_devices_only_the_portals_own_host_stays(
    deleter: User, localhost: Device, remote: Device
) -> None:
    order = order_bulk(
        verb=BulkOrder.Verb.DELETE,
        devices=Device.objects.all(),
        actor=actor_of(deleter),
        reason="Old ones",
    )
    assert list(Device.objects.all()) == [localhost]
    assert order.failures == [
        ["localhost", "operator lacks the permission devices.use_local_driver."]
    ]


def test_an_administrator_deletes_it(make_person: MakePerson, localhost: Device) -> None:
    actor = actor_of(make_person("administrator"))
    delete_device(device=localhost, actor=actor, reason="By mistake")
    assert not Device.objects.exists()
