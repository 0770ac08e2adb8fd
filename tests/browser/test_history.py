"""What happened: found, narrowed down, taken away as a file, and read in the audit."""

from __future__ import annotations

import csv
import json

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import SignIn
from tests.browser.fleet import Fleet


@pytest.fixture
def told(fleet: Fleet) -> Fleet:
    """One upgrade that succeeded, and one that came back."""
    fleet.carried_out(fleet.device("kiosk-01"), reason="A quiet day")
    fleet.carried_out(fleet.device("kiosk-02", fails_in="ArtifactInstall"), reason="A loud day")
    return fleet


@pytest.mark.parametrize("role", ["operator", "viewer"])
def test_the_history_is_narrowed_down_and_taken_away(
    role: str, sign_in: SignIn, portal: str, told: Fleet
) -> None:
    page = sign_in(role)
    page.goto(f"{portal}/updates/upgrade/")
    rows = page.locator("tr[data-upgrade]")
    expect(rows).to_have_count(2)
    page.locator("[name=outcome][value=rolled_back]").check()
    page.get_by_role("button", name="Show").click()
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("A loud day")

    table = csv.DictReader(taken(page, "CSV"))
    assert [row["device"] for row in table] == ["kiosk-02"]
    lines = [json.loads(line) for line in taken(page, "JSON lines")]
    assert [line["outcome"] for line in lines] == ["rolled_back"]


def taken(page: Page, link: str) -> list[str]:
    """The lines of the file behind the link."""
    with page.expect_download() as download:
        page.get_by_role("link", name=link, exact=True).click()
    return download.value.path().read_text().splitlines()


@pytest.mark.parametrize("role", ["operator", "viewer"])
def test_the_audit_says_who_did_what(role: str, sign_in: SignIn, portal: str, told: Fleet) -> None:
    page = sign_in(role)
    page.goto(f"{portal}/core/auditevent/?q=upgrade.apply")
    expect(page.locator("#result_list tbody tr")).to_have_count(2)
    page.locator("#result_list tbody a").first.click()
    expect(page.locator("body")).to_contain_text("A loud day")


@pytest.mark.parametrize("role", ["operator", "viewer"])
def test_a_devices_page_tells_its_life(
    role: str, sign_in: SignIn, portal: str, told: Fleet
) -> None:
    page = sign_in(role)
    page.goto(f"{portal}/devices/device/?q=kiosk-02")
    page.get_by_role("link", name="kiosk-02", exact=True).first.click()
    expect(page.get_by_role("heading", name="kiosk-02")).to_be_visible()
    expect(page.locator("#device")).to_contain_text("A loud day")
    expect(page.locator("#device")).not_to_contain_text("A quiet day")
