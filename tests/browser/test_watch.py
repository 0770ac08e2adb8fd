"""Apply, watch to the end, read what failed, retry, cancel, roll back: with a worker that carries it out."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from devices.models import Device
from tests.browser.fleet import NEW, OLD, Fleet
from tests.browser.processes import WebServer
from updates.models import Upgrade

END_MILLISECONDS = 120_000


def of(upgrade: Upgrade) -> str:
    return reverse("admin:updates_upgrade_change", args=[upgrade.pk])


def say_why(page: Page, reason: str, *, button: str) -> None:
    """The page of a verb: a reason, and the button that does it."""
    page.locator("[name=reason]").fill(reason)
    page.get_by_role("button", name=button, exact=True).click()


def watched(page: Page) -> str:
    """The outcome, which the page shows by itself when the upgrade is over."""
    shown = page.locator("#upgrade")
    expect(shown).to_have_attribute("data-state", "finished", timeout=END_MILLISECONDS)
    return str(shown.get_attribute("data-outcome"))


@pytest.mark.usefixtures("worker")
def test_an_operator_applies_watches_and_rolls_back(
    as_operator: Page, portal: str, fleet: Fleet
) -> None:
    page, device, artifact = as_operator, fleet.device(), fleet.artifact()
    address = reverse("admin:updates_upgrade_apply", args=[device.pk])
    page.goto(f"{portal}{address}?artifact={artifact.pk}")
    say_why(page, "The shop asked for it", button="Apply")
    assert watched(page) == "succeeded"
    expect(page.locator("#output")).to_contain_text("Installing index.html")
    expect(page.locator("body")).to_contain_text("The shop asked for it")
    page.reload()
    assert watched(page) == "succeeded"
    expect(page.locator("#output")).to_contain_text("The app answers")

    page.get_by_role("link", name="Roll back", exact=True).click()
    say_why(page, "The old look was better", button="Roll back")
    assert watched(page) == "succeeded"
    assert "artifact_name" not in Device.objects.get(pk=device.pk).provides


@pytest.mark.usefixtures("worker")
def test_a_failure_says_what_to_do_and_is_retried_right_there(
    as_operator: Page, portal: str, fleet: Fleet
) -> None:
    page, device = as_operator, fleet.device(fails_in="ArtifactInstall")
    page.goto(portal + of(fleet.carried_out(device)))
    failure = page.locator("#upgrade")
    expect(failure).to_have_attribute("data-outcome", "rolled_back")
    expect(failure).to_contain_text("Installing failed in ArtifactInstall")
    expect(failure).to_contain_text("the app does not start")
    expect(failure.get_by_role("heading", name="What to do now")).to_be_visible()

    fleet.device(fails_in="")
    page.get_by_role("link", name="Retry", exact=True).click()
    say_why(page, "Its firmware is new now", button="Retry")
    assert watched(page) == "succeeded"
    expect(page.locator("body")).to_contain_text("Retry of")


def test_a_watch_outlives_a_restart_of_the_web_server(
    as_operator: Page,
    portal: str,
    fleet: Fleet,
    web_server: WebServer,
    start_worker: Callable[[], None],
    complaints: list[str],
) -> None:
    page = as_operator
    page.goto(portal + of(fleet.ordered(fleet.device())))
    expect(page.locator("#upgrade")).to_have_attribute("data-state", "pending")
    web_server.stop()
    lost = page.locator("#fw-connection.fw-lost")
    expect(lost).to_be_visible(timeout=END_MILLISECONDS)
    web_server.start()
    start_worker()
    assert watched(page) == "succeeded"
    expect(lost).to_have_count(0)
    expect(page.locator("#output")).to_contain_text("The app answers")
    unheard = [line for line in complaints if "/htmx.js: " not in line]
    complaints[:] = unheard  # that the portal was away is what this is about


def test_an_operator_cancels_what_waits(as_operator: Page, portal: str, fleet: Fleet) -> None:
    page = as_operator
    page.goto(portal + of(fleet.ordered(fleet.device())))
    expect(page.locator("#upgrade")).to_have_attribute("data-state", "pending")
    page.get_by_role("link", name="Cancel upgrade", exact=True).click()
    say_why(page, "Not at noon", button="Cancel upgrade")
    assert watched(page) == "cancelled"


def test_a_viewer_watches_and_is_told_why_she_can_do_nothing(
    as_viewer: Page, portal: str, fleet: Fleet
) -> None:
    page = as_viewer
    finished = fleet.carried_out(fleet.device())
    for upgrade, verb, permission in (
        (finished, "Roll back", "updates.roll_back_upgrade"),
        (finished, "Retry", "updates.retry_upgrade"),
        (fleet.ordered(fleet.device("kiosk-02"), NEW), "Cancel upgrade", "updates.cancel_upgrade"),
    ):
        page.goto(portal + of(upgrade))
        button = page.get_by_role("button", name=verb, exact=True)
        expect(button).to_be_disabled()
        expect(page.locator(".fw-off", has=button)).to_contain_text(permission)
    apply = reverse("admin:updates_upgrade_apply", args=[fleet.device().pk])
    answer = page.goto(f"{portal}{apply}?artifact={fleet.artifact(OLD).pk}")
    assert answer is not None and answer.status == 403
    expect(page.locator("body")).to_contain_text("updates.apply_artifact")


@pytest.mark.usefixtures("worker")
def test_an_operator_looks_at_the_device_before_the_commit(
    as_operator: Page, portal: str, fleet: Fleet
) -> None:
    page, device, artifact = as_operator, fleet.device(), fleet.artifact()
    address = reverse("admin:updates_upgrade_apply", args=[device.pk])
    page.goto(f"{portal}{address}?artifact={artifact.pk}")
    page.get_by_label("Wait before the commit").check()
    say_why(page, "The first of its kind", button="Apply")
    expect(page.get_by_text("waits for you")).to_be_visible(timeout=END_MILLISECONDS)
    page.goto(portal)
    expect(page.locator("#broken ~ *").first).to_contain_text("kiosk-01")
    page.goto(f"{portal}/updates/upgrade/stuck/")
    expect(page.locator("[data-upgrade]")).to_contain_text("until somebody commits it")
    page.get_by_role("link", name="Commit", exact=True).click()
    say_why(page, "It looks good", button="Commit")
    assert watched(page) == "succeeded"
