"""What devices report is taken as far as it can be; what is refused is in the log once, and on the device's page."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from structlog.testing import capture_logs

from devices.models import Device, DeviceIdentity
from portal.core import clock
from tests.pulled.pretend import INVENTORY
from tests.pulled.pulling import NEXT_V2, Pulling

pytestmark = pytest.mark.database

TOO_MANY = {f"n{number}": "1" for number in range(600)}


def _report(device: Pulling, values: object) -> int:
    said = (
        [{"name": name, "value": value} for name, value in values.items()]
        if isinstance(values, dict)
        else values
    )
    return device.send("PUT", INVENTORY, said).status_code


def _kept(device: Pulling) -> dict[str, object]:
    return dict(Device.objects.get(pk=device.row.pk).reported)


def _noted(device: Pulling) -> tuple[str, str]:
    identity = DeviceIdentity.objects.get(device=device.row)
    return identity.refused_what, identity.refused_why


def test_a_value_that_is_too_long_is_cut_and_says_so() -> None:
    device = Pulling()
    assert _report(device, {"dmesg": "d" * 20_000, "site": "Leipzig"}) == 200
    kept = _kept(device)
    assert kept["site"] == "Leipzig"
    assert kept["dmesg"] == f"{'d' * 8160} … (cut: it has 20,000)"
    assert len(str(kept["dmesg"])) <= 8192


@pytest.mark.parametrize("values", [[f"package-{n}" for n in range(2000)], list(range(2000))])
def test_a_list_that_is_too_long_is_cut_and_says_so(values: list[str | int]) -> None:
    device = Pulling()
    assert _report(device, {"packages": values, "site": "Leipzig"}) == 200
    kept = _kept(device)
    assert kept["site"] == "Leipzig"
    assert kept["packages"] == [*map(str, values[:199]), "… (cut: it has 2,000)"]


def test_what_just_fits_is_kept_as_it_is() -> None:
    device = Pulling()
    values = {"text": "t" * 8192, "numbers": list(range(200)), "texts": ["x"] * 200}
    assert _report(device, values) == 200
    assert {name: _kept(device)[name] for name in values} == values


def test_a_refused_inventory_is_on_the_page_until_one_is_taken(admin_client: Client) -> None:
    device = Pulling()
    page = reverse("admin:devices_device_change", args=[device.row.pk])
    assert _report(device, TOO_MANY) == 400
    assert _noted(device) == (
        "inventory",
        "The inventory has 600 attributes; a device may have 500.",
    )
    shown = admin_client.get(page).content.decode()
    assert "Its inventory was refused" in shown
    assert "The inventory has 600 attributes; a device may have 500." in shown
    assert _report(device, {"a": "1"}) == 200
    assert _noted(device) == ("", "")
    assert "was refused" not in admin_client.get(page).content.decode()


def test_whose_inventory_is_refused_was_heard_of() -> None:
    device = Pulling()
    Device.objects.update(last_seen=clock.now() - timedelta(days=3))
    assert device.send("PUT", INVENTORY, b" " * 300_000).status_code == 413
    seen = Device.objects.get(pk=device.row.pk).last_seen
    assert seen is not None and clock.now() - seen < timedelta(minutes=1)


def test_a_question_for_updates_that_is_refused_is_noted_and_one_that_is_taken_is_no_news() -> None:
    device = Pulling()
    assert device.send("POST", NEXT_V2, b"{}").status_code == 400
    assert _noted(device) == ("poll", "What a device provides is an object of up to 200 texts.")
    assert _report(device, {"a": "1"}) == 200
    assert _noted(device)[0] == "poll"
    device.ask()
    assert _noted(device) == ("", "")


def test_the_log_has_a_refusal_once() -> None:
    device = Pulling()
    with capture_logs() as lines:
        for _ in range(5):
            _report(device, TOO_MANY)
    (line,) = lines
    assert (line["event"], line["device"]) == ("device_refused", device.row.name)
    assert "600 attributes" in line["why"]
    with capture_logs() as lines, clock.started_at(clock.now() + timedelta(hours=2)):
        _report(device, TOO_MANY)
    assert len(lines) == 1


def test_strangers_do_not_fill_the_log() -> None:
    device = Pulling()
    device.token = "guessed"
    with capture_logs() as lines:
        _report(device, TOO_MANY)
        device.ask()
        Client().post("/api/devices/v1/authentication/auth_requests", b"{", "application/json")
        Client().get("/api/devices/v1/nowhere")
    assert lines == []


def test_when_the_portal_itself_cannot_the_log_says_so_once() -> None:
    cache.clear()
    device = Pulling()
    device.ordered()
    link = device.offered()["artifact"]["source"]["uri"]
    with capture_logs() as lines:
        answers = [Client().get(link) for _ in range(5)]
    assert {answer.status_code for answer in answers} == {503}
    assert json.loads(answers[0].content)["error"]
    (line,) = lines
    assert line["event"] == "devices_not_served"
    assert _noted(device) == ("", "")
