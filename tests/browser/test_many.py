"""A fleet too large to be named: found by typing, chosen by a filter or by hand, confirmed by its number."""

from __future__ import annotations

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from devices.models import Device
from tests.browser import axe
from tests.browser.fleet import Fleet
from updates.models import Upgrade

LIST = "/devices/device/"
MANY = 101


@pytest.fixture
def crowd(fleet: Fleet) -> int:
    """More kiosks than are ordered without typing their number."""
    Device.objects.bulk_create(
        Device(name=f"crowd-{number:03}", device_type="kiosk", driver="local", root="/nowhere")
        for number in range(1, MANY + 1)
    )
    return MANY


@pytest.mark.parametrize("role", ["operator", "viewer"])
def test_typing_leads_to_a_device(
    role: str, request: pytest.FixtureRequest, portal: str, fleet: Fleet
) -> None:
    page: Page = request.getfixturevalue(f"as_{role}")
    fleet.devices(3)
    page.keyboard.press("s")  # no shortcut without the G before it
    page.keyboard.press("Control+k")
    expect(page.locator("#search-input-command")).to_be_focused()
    page.keyboard.type("kiosk-02", delay=20)
    found = page.get_by_role("link", name="kiosk-02")
    expect(found.first).to_be_visible()
    assert not axe.serious_faults(page)
    found.first.click()
    expect(page.get_by_role("heading", name="kiosk-02")).to_be_visible()


def test_picked_devices_are_deployed_to(as_operator: Page, portal: str, fleet: Fleet) -> None:
    page, artifact = as_operator, fleet.artifact()
    fleet.devices(3)
    page.goto(portal + LIST)
    page.get_by_label("Pick kiosk-01").check()
    page.get_by_label("Pick kiosk-03").check()
    page.get_by_role("button", name="Deploy to them").click()
    look_up(page, artifact.name)
    page.locator("[name=reason]").fill("These two go first")
    page.get_by_role("button", name="Preview").click()
    expect(page.locator("[data-takes]")).to_have_attribute("data-takes", "2")
    page.get_by_role("button", name="Confirm deployment").click()
    expect(page.locator("#deployment")).to_contain_text("These two go first")
    names = Upgrade.objects.values_list("device__name", flat=True)
    assert set(names) == {"kiosk-01", "kiosk-03"}


def test_so_many_are_confirmed_by_their_number(
    as_operator: Page, portal: str, fleet: Fleet, crowd: int
) -> None:
    page = as_operator
    page.goto(f"{portal}{reverse('admin:updates_deployment_deploy')}")
    look_up(page, fleet.artifact().name)
    page.locator("[name=everything]").check()
    page.locator("[name=reason]").fill("All of them")
    page.get_by_role("button", name="Preview").click()
    expect(page.locator("[data-takes]")).to_have_attribute("data-takes", str(crowd))
    page.locator("[name=typed]").fill("99")
    page.get_by_role("button", name="Confirm deployment").click()
    expect(page.locator("[name=typed]:invalid")).to_be_visible()
    assert not Upgrade.objects.exists()
    page.locator("[name=typed]").fill(str(crowd))
    page.get_by_role("button", name="Confirm deployment").click()
    expect(page.locator("#deployment")).to_contain_text("All of them")
    assert Upgrade.objects.count() == crowd


def look_up(page: Page, name: str) -> None:
    """The artifact is chosen in the field that looks it up."""
    page.locator(".select2-selection[aria-label=Release]").click()  # once the script has made it
    page.get_by_role("searchbox", name="Search").fill(name)
    page.get_by_role("option", name=name).first.click()
