"""An Update Module: shown how to make one, uploaded, and looked at on a device."""

from __future__ import annotations

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from tests.browser.fleet import Fleet
from tests.browser.test_artifacts import CHECKED_MILLISECONDS, refused
from updates.models import UpdateModule

LIST = "/updates/updatemodule/"


@pytest.mark.usefixtures("worker")
def test_an_operator_follows_the_walk_through_and_checks_what_came_of_it(
    as_operator: Page, portal: str, fleet: Fleet
) -> None:
    page = as_operator
    fleet.devices(2)
    page.goto(portal + LIST)
    page.get_by_role("link", name="How to make one").click()
    script = page.locator("[data-script=smallest]").inner_text()
    page.get_by_role("link", name="Upload it").first.click()
    page.locator("[name=name]").fill("notices")
    page.locator("[name=file]").set_input_files(
        {"name": "notices", "mimeType": "text/x-sh", "buffer": script.encode()}
    )
    page.get_by_role("button", name="Upload", exact=True).click()
    expect(page.locator("#update-module")).to_contain_text('target="${FLEETWRIGHT_ROOT:-}')

    page.locator("summary", has_text="Check on devices").click()
    page.locator("[name=everything]").check()
    page.get_by_role("button", name="Check", exact=True).click()
    verdicts = page.locator("li[data-verdict=compatible]")
    expect(verdicts).to_have_count(2, timeout=CHECKED_MILLISECONDS)
    page.locator("li[data-device=kiosk-02]").get_by_role("button", name="Check again").click()
    expect(verdicts).to_have_count(2, timeout=CHECKED_MILLISECONDS)


def test_a_viewer_reads_it_and_is_told_why_she_can_do_nothing(
    as_viewer: Page, portal: str, fleet: Fleet
) -> None:
    page = as_viewer
    module = UpdateModule.objects.get(name="demo-note")
    page.goto(portal + LIST)
    refused(page, "Upload Update Module", permission="updates.upload_updatemodule")
    page.get_by_role("link", name="How to make one").click()
    expect(page.locator("[data-script=rollback]")).to_be_visible()
    page.goto(portal + reverse("admin:updates_updatemodule_change", args=[module.pk]))
    expect(page.locator("#update-module")).to_contain_text("etc/notes")
    refused(page, "Check", permission="updates.check_artifact")
    answer = page.goto(f"{portal}{LIST}upload/")
    assert answer is not None and answer.status == 403
