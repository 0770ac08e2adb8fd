"""Upload and check: a file comes in, is refused or taken apart, and tried on devices without touching them."""

from __future__ import annotations

from base64 import b64encode

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from portal.demo.library import HERE
from tests.browser.fleet import OLD, Fleet
from updates.models import Artifact

FILE = HERE / "artifacts" / f"{OLD}.mender"
UPLOAD = "/updates/artifact/upload/"
CHECKED_MILLISECONDS = 30_000


def test_an_operator_uploads_and_sees_what_is_in_it_and_what_comes_next(
    as_operator: Page, portal: str
) -> None:
    page = as_operator
    page.goto(f"{portal}/updates/artifact/")
    page.get_by_role("link", name="Upload artifact").click()
    page.locator("#id_file").set_input_files(FILE)
    page.get_by_role("button", name="Upload", exact=True).click()
    expect(page.locator("#artifact")).to_contain_text("index.html")
    expect(page.get_by_role("link", name="Deploy", exact=True).first).to_be_visible()


def test_an_operator_uploads_with_the_keyboard_alone(as_operator: Page, portal: str) -> None:
    page = as_operator
    page.goto(portal + UPLOAD, wait_until="networkidle")
    page.locator("#id_file").focus()
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Space")
    chooser.value.set_files(FILE)
    press_tab_until(page, "Upload")
    page.keyboard.press("Enter")
    expect(page.locator("#artifact")).to_contain_text("index.html")


def press_tab_until(page: Page, button: str) -> None:
    """The keyboard has come to the button, past the sidebar if need be; fails if it cannot."""
    for _ in range(100):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent.trim()") == button:
            return
    pytest.fail(f"the keyboard does not come to {button}")


DROP = """
files => {
    const dropped = new DataTransfer();
    for (const [name, text] of files) {
        const bytes = Uint8Array.from(atob(text), letter => letter.charCodeAt(0));
        dropped.items.add(new File([bytes], name));
    }
    document.dispatchEvent(new DragEvent("drop", {dataTransfer: dropped, cancelable: true}));
}
"""


def test_several_files_are_dropped_and_a_bad_one_is_refused_in_its_own_place(
    as_operator: Page, portal: str
) -> None:
    page = as_operator
    page.goto(portal + UPLOAD)
    files = {FILE.name: FILE.read_bytes(), "holiday.mender": b"no artifact at all" * 100}
    page.evaluate(DROP, [[name, b64encode(data).decode()] for name, data in files.items()])
    page.get_by_role("button", name="Upload 2 files", exact=True).click()
    expect(page.locator(".fw-file-done")).to_contain_text(FILE.name)
    expect(page.locator(".fw-file-refused")).to_contain_text("holiday.mender")
    assert [artifact.name for artifact in Artifact.objects.all()] == [OLD]


@pytest.mark.usefixtures("worker")
def test_an_operator_checks_the_whole_fleet_and_one_device_again(
    as_operator: Page, portal: str, fleet: Fleet
) -> None:
    page, artifact = as_operator, fleet.artifact()
    fleet.devices(2)
    page.goto(portal + reverse("admin:updates_artifact_change", args=[artifact.pk]))
    page.locator("[name=everything]").check()
    page.get_by_role("button", name="Check", exact=True).click()
    verdicts = page.locator("li[data-verdict=compatible]")
    expect(verdicts).to_have_count(2, timeout=CHECKED_MILLISECONDS)
    page.locator("li[data-device=kiosk-02]").get_by_role("button", name="Check again").click()
    expect(verdicts).to_have_count(2, timeout=CHECKED_MILLISECONDS)


def test_a_viewer_reads_what_is_in_it_and_is_told_why_she_can_do_nothing(
    as_viewer: Page, portal: str, fleet: Fleet
) -> None:
    page = as_viewer
    page.goto(portal + reverse("admin:updates_artifact_change", args=[fleet.artifact().pk]))
    expect(page.locator("#artifact")).to_contain_text("index.html")
    refused(page, "Check", permission="updates.check_artifact")
    refused(page, "Deploy", permission="updates.deploy_artifact")
    refused(page, "Delete", permission="updates.delete_artifact")
    page.goto(f"{portal}/updates/artifact/")
    refused(page, "Upload artifact", permission="updates.upload_artifact")
    answer = page.goto(portal + UPLOAD)
    assert answer is not None and answer.status == 403


def refused(page: Page, button: str, *, permission: str) -> None:
    """The button is there, cannot be pressed, and says why."""
    found = page.get_by_role("button", name=button, exact=True)
    expect(found).to_be_disabled()
    expect(page.locator(".fw-off", has=found)).to_contain_text(permission)
