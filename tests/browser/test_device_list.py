"""The fleet as a list: filters that are kept, many devices at once, files in and out."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from devices.models import Device, DeviceGroup
from tests.browser.fleet import Fleet
from tests.browser.test_artifacts import refused
from tests.browser.test_history import taken
from tests.browser.test_watch import say_why

LIST = "/devices/device/"
DONE_MILLISECONDS = 30_000


def test_a_filter_is_kept_and_found_again(as_viewer: Page, portal: str, fleet: Fleet) -> None:
    page = as_viewer
    fleet.devices(3)
    page.goto(f"{portal}{LIST}?q=kiosk-02")
    expect(page.locator("tr[data-device]")).to_have_count(1)
    page.get_by_text("Save this filter").click()
    page.locator("#id_filter_name").fill("My kiosk")
    page.get_by_role("button", name="Save", exact=True).click()
    page.goto(portal + LIST)
    page.get_by_role("link", name="My kiosk").click()
    expect(page.locator("tr[data-device]")).to_have_count(1)


def test_devices_are_taken_away_and_brought_back_as_a_file(
    as_administrator: Page, portal: str, fleet: Fleet, tmp_path: Path
) -> None:
    page = as_administrator
    fleet.devices(2)
    page.goto(portal + LIST)
    lines = taken(page, "CSV")
    assert [row["name"] for row in csv.DictReader(lines)] == ["kiosk-01", "kiosk-02"]

    file = tmp_path / "fleet.csv"
    file.write_text("name,device_type\nkiosk-02,kiosk\nkiosk-01,showcase\n")
    page.goto(f"{portal}{LIST}import/")
    page.locator("#id_file").set_input_files(file)
    page.get_by_role("button", name="Preview", exact=True).click()
    expect(page.locator("[data-verdict=changed]")).to_contain_text("1")
    expect(page.locator("[data-verdict=unchanged]")).to_contain_text("1")
    assert not Device.objects.filter(device_type="showcase").exists()
    say_why(page, "Moved to the showroom", button="Import them")
    expect(page.locator("body")).to_contain_text("showcase")
    assert Device.objects.get(name="kiosk-01").device_type == "showcase"


@pytest.mark.usefixtures("worker")
def test_an_operator_does_one_thing_to_many(as_operator: Page, portal: str, fleet: Fleet) -> None:
    page, group = as_operator, DeviceGroup.objects.create(name="Pilot")
    fleet.devices(3)
    page.goto(portal + LIST)
    page.get_by_label("Pick kiosk-01").check()
    page.get_by_label("Pick kiosk-03").check()
    page.get_by_role("button", name="Add to a group").click()
    expect(page.locator("[data-devices]")).to_have_attribute("data-devices", "2")
    page.locator("[name=group]").select_option(label="Pilot")
    say_why(page, "They go first", button="Add them")
    expect(page.locator("[data-over=yes]")).to_be_visible(timeout=DONE_MILLISECONDS)
    assert [device.name for device in group.members.all()] == ["kiosk-01", "kiosk-03"]


def test_a_viewer_is_told_why_she_can_do_nothing_to_many(
    as_viewer: Page, portal: str, fleet: Fleet
) -> None:
    page = as_viewer
    fleet.device()
    page.goto(portal + LIST)
    refused(page, "Deploy to them", permission="updates.deploy_artifact")
    refused(page, "Refresh", permission="devices.refresh_device")
    answer = page.goto(f"{portal}{LIST}import/")
    assert answer is not None and answer.status == 403
