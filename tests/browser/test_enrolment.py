"""Devices ask to be let in, and people decide about them in the browser."""

from __future__ import annotations

import re

from django.urls import reverse
from playwright.sync_api import Page, expect

from devices.models import AuthSet, Device
from devices.services.enrolment import accept
from portal.core.actors import PORTAL
from tests.browser.looks import is_fine
from tests.browser.test_artifacts import refused
from tests.pulled.rows import asking_device

ENROLMENT = "/devices/authset/"
MAC = "52:54:00:00:00:0"


def test_one_is_accepted_after_a_look_at_its_key(as_operator: Page, portal: str) -> None:
    page, key = as_operator, asking_device(f"{MAC}1")
    page.goto(portal)
    page.get_by_role("link", name="Ask to be let in").click()
    page.get_by_role("link", name=f"Accept mac={MAC}1").click()
    expect(page.get_by_text(key.key_hash)).to_be_visible()
    is_fine(page)
    page.get_by_role("button", name="Accept it").click()
    expect(page.get_by_text("is let in.")).to_be_visible()
    expect(page.locator("[data-status=accepted]")).to_be_visible()
    is_fine(page)


def test_many_are_picked_by_a_search_and_accepted_at_once(as_operator: Page, portal: str) -> None:
    page = as_operator
    for number in range(4):
        asking_device(f"{MAC}{number}")
    other = asking_device("02:00:00:00:00:01")
    page.goto(portal + ENROLMENT)
    page.get_by_label("Search in identities and keys").fill(MAC)
    page.get_by_role("button", name="Show").click()
    expect(page.locator("[data-count]")).to_have_text("4")
    page.get_by_label(re.compile("or to all 4")).check()
    page.get_by_role("button", name="Accept…").click()
    expect(page.locator("[data-keys='4']")).to_be_visible()
    page.get_by_role("button", name="Accept them").click()
    expect(page.get_by_text("4 devices are let in.")).to_be_visible()
    assert Device.objects.filter(driver=Device.Driver.PULL).count() == 4
    assert AuthSet.objects.get(pk=other.pk).status == AuthSet.Status.PENDING


def test_many_that_a_search_finds_are_rejected_and_then_forgotten(
    as_operator: Page, portal: str
) -> None:
    page = as_operator
    for number in range(3):
        asking_device(f"{MAC}{number}")
    for status, button, act in (
        ("pending", "Reject…", "Reject them"),
        ("rejected", "Forget…", "Forget them"),
    ):
        page.goto(f"{portal}{ENROLMENT}?status={status}&q={MAC}")
        page.get_by_label(re.compile("or to all 3")).check()
        is_fine(page)
        page.get_by_role("button", name=button).click()
        expect(page.locator("[data-keys='3']")).to_be_visible()
        page.get_by_label("Reason").fill("A flood")
        page.get_by_role("button", name=act).click()
        expect(
            page.get_by_text("There are none.").or_(page.get_by_text("No key fits."))
        ).to_be_visible()
    assert not AuthSet.objects.exists()


def test_a_rejected_one_comes_back(as_operator: Page, portal: str) -> None:
    page = as_operator
    asking_device(f"{MAC}1")
    page.goto(portal + ENROLMENT)
    page.get_by_role("link", name=f"Reject mac={MAC}1").click()
    page.get_by_label("Reason").fill("Nobody knows it")
    page.get_by_role("button", name="Reject it").click()
    expect(page.get_by_text("is not let in.")).to_be_visible()
    page.get_by_role("link", name="Rejected").click()
    expect(page.get_by_text("Rejected by olga")).to_be_visible()
    page.get_by_role("link", name=f"Accept mac={MAC}1").click()
    page.get_by_role("button", name="Accept it").click()
    expect(page.locator("[data-status=accepted]")).to_be_visible()


def test_a_viewer_sees_who_asks_and_is_told_why_she_cannot_decide(
    as_viewer: Page, portal: str
) -> None:
    page, key = as_viewer, asking_device(f"{MAC}1")
    page.goto(portal + ENROLMENT)
    expect(page.get_by_text(f"mac={MAC}1")).to_be_visible()
    refused(page, "Accept", permission="devices.decide_authset")
    refused(page, "Preauthorise", permission="devices.decide_authset")
    device = accept(auth_set=key, actor=PORTAL)
    page.goto(portal + reverse("admin:devices_device_change", args=[device.pk]))
    refused(page, "Decommission", permission="devices.decommission_device")


def test_what_has_to_connect_says_why_it_cannot(as_operator: Page, portal: str) -> None:
    device = accept(auth_set=asking_device(f"{MAC}1"), actor=PORTAL)
    page = as_operator
    page.goto(portal + reverse("admin:devices_device_change", args=[device.pk]))
    for label in ("Refresh", "Engine", "Install a module"):
        button = page.get_by_role("button", name=label, exact=True)
        expect(button).to_be_disabled()
        expect(button).to_have_attribute("title", re.compile("nothing connects to it"))


def test_an_administrator_decommissions_and_is_told_what_ends(
    as_administrator: Page, portal: str
) -> None:
    device = accept(auth_set=asking_device(f"{MAC}1"), actor=PORTAL)
    page = as_administrator
    page.goto(portal + reverse("admin:devices_device_change", args=[device.pk]))
    page.get_by_role("link", name="Decommission").click()
    expect(page.get_by_text("history stay")).to_be_visible()
    page.get_by_label("Reason").fill("Scrapped")
    page.get_by_role("button", name="Decommission it").click()
    expect(page.locator("[data-status=noauth]")).to_be_visible()
