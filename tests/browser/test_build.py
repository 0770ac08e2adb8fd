"""Putting an artifact together: what it will be is shown while the form is filled in."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.test_artifacts import refused
from updates.models import Artifact


def test_an_operator_builds_an_artifact_of_one_file(
    as_operator: Page, portal: str, tmp_path: Path
) -> None:
    page = as_operator
    file = tmp_path / "app.conf"
    file.write_text("volume=3\n")
    page.goto(f"{portal}/updates/artifact/")
    page.get_by_role("link", name="Build artifact").click()
    expect(page.locator("[data-asked]")).to_contain_text("Name, Device types")
    page.locator("[name=name]").fill("kiosk-1.1")
    page.locator("[name=device_types]").fill("kiosk")
    page.locator("[name=folder]").fill("/etc/kiosk")
    page.locator("[name=file]").set_input_files(file)
    composition = page.locator("[data-composition]")
    expect(composition).to_contain_text("rootfs-image.single-file.version: kiosk-1.1")
    page.locator("[name=permissions]").fill("rw")
    expect(page.locator("#composition [data-code=permissions]")).to_be_visible()
    page.locator("[name=permissions]").fill("600")
    expect(composition).to_be_visible()
    page.get_by_role("button", name="Build artifact").click()
    expect(page.locator("#artifact")).to_contain_text("app.conf")
    assert Artifact.objects.get().payload_type == "single-file"


def test_another_kind_has_another_form(as_operator: Page, portal: str) -> None:
    page = as_operator
    page.goto(f"{portal}/updates/artifact/build/single-file/")
    page.get_by_role("link", name="Any Update Module").click()
    page.locator("summary").click()
    page.locator("[name=provides]").fill("no colon")
    expect(page.locator("[data-wrong]")).to_contain_text("Each line is a key")


def test_a_viewer_is_told_why_she_cannot(as_viewer: Page, portal: str) -> None:
    page = as_viewer
    page.goto(f"{portal}/updates/artifact/")
    refused(page, "Build artifact", permission="updates.upload_artifact")
    answer = page.goto(f"{portal}/updates/artifact/build/single-file/")
    assert answer is not None and answer.status == 403
    expect(page.locator("body")).to_contain_text("updates.upload_artifact")
