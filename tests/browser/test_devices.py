"""The fleet's own pages: a device comes in, shows its host key, is trusted; groups."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from devices.models import Credential, Device, DeviceGroup
from devices.queries import devices_in
from tests.browser.fleet import Fleet
from tests.browser.test_artifacts import refused
from tests.drivers.sshd import SSHD, RunningSshd, start_sshd


@pytest.fixture
def box(portal: str, tmp_path: Path) -> Iterator[Device]:
    """A device over SSH, which nobody has asked for its host key yet."""
    if SSHD is None:
        pytest.skip("sshd is missing (Debian's package openssh-server)")
    sshd: RunningSshd = start_sshd(tmp_path / "sshd")
    credential = Credential.objects.create(
        name="key",
        kind=Credential.Kind.SSH_KEY,
        username=sshd.user,
        secret=sshd.client_key_pem,
    )
    yield Device.objects.create(
        name="box-1",
        device_type="box",
        driver=Device.Driver.SSH,
        host=sshd.host,
        port=sshd.port,
        credential=credential,
        root=str(tmp_path),
    )
    sshd.stop()


def page_of(device: Device) -> str:
    return reverse("admin:devices_device_change", args=[device.pk])


def test_a_host_key_is_looked_at_and_confirmed_before_anything_else(
    as_administrator: Page, portal: str, box: Device
) -> None:
    page = as_administrator
    page.goto(portal + page_of(box))
    page.get_by_role("button", name="Refresh", exact=True).click()
    page.get_by_role("link", name="Look at its host key").click()
    expect(page.locator("#offered-fingerprint")).to_contain_text("SHA256:")
    page.get_by_role("button", name="Confirm host key").click()
    expect(page.locator("#device")).to_contain_text("SHA256:")
    page.get_by_role("button", name="Refresh", exact=True).click()
    expect(page.get_by_text("box-1 answered.")).to_be_visible()


def test_an_operator_adds_a_device_and_may_not_trust_it(
    as_operator: Page, portal: str, box: Device
) -> None:
    page = as_operator
    page.goto(portal + page_of(box))
    page.get_by_role("button", name="Refresh", exact=True).click()
    refused(page, "Look at its host key", permission="devices.confirm_host_key")


def test_a_viewer_is_told_why_she_can_do_nothing(
    as_viewer: Page, portal: str, fleet: Fleet
) -> None:
    page = as_viewer
    page.goto(portal + page_of(fleet.device()))
    refused(page, "Refresh", permission="devices.refresh_device")
    refused(page, "Edit", permission="devices.change_device")
    page.goto(portal + reverse("admin:devices_device_edit", args=[fleet.device().pk]))
    expect(page.get_by_role("button", name="Save", exact=True)).to_have_count(0)


def test_an_operator_makes_a_group_that_finds_its_devices(
    as_operator: Page, portal: str, fleet: Fleet
) -> None:
    page = as_operator
    fleet.devices(2)
    page.goto(f"{portal}/devices/devicegroup/")
    page.get_by_role("link", name="Add", exact=False).first.click()
    page.locator("[name=name]").fill("All kiosks")
    page.locator("[name=kind]").select_option("dynamic")
    page.locator("[name=device_type]").fill("kiosk")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("body")).to_contain_text("All kiosks")
    assert devices_in(DeviceGroup.objects.get()).count() == 2
