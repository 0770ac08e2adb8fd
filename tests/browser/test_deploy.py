"""Deploy: who gets it and who does not is said before anything happens."""

from __future__ import annotations

from django.urls import reverse
from playwright.sync_api import Page, expect

from tests.browser.fleet import Fleet
from tests.browser.test_artifacts import press_tab_until, refused
from tests.browser.test_watch import say_why
from updates.models import Deployment, Upgrade

DEPLOY = "/updates/deployment/deploy/"


def test_an_operator_deploys_after_a_preview_and_cancels(
    as_operator: Page, portal: str, fleet: Fleet
) -> None:
    page = as_operator
    fleet.devices(3)
    fleet.carried_out(fleet.device("kiosk-01"))
    page.goto(f"{portal}{DEPLOY}?artifact={fleet.artifact().pk}")
    page.locator("[name=everything]").check()
    page.locator("[name=reason]").fill("For the rest of them")
    page.get_by_role("button", name="Preview").click()
    expect(page.locator("[data-takes]")).to_have_attribute("data-takes", "2")
    expect(page.locator("body")).to_contain_text("Has it already (1)")
    assert not Deployment.objects.exists()
    page.get_by_role("button", name="Confirm deployment").click()
    expect(page.locator("[data-count=waiting]")).to_contain_text("2")

    page.get_by_role("link", name="Cancel all", exact=True).click()
    say_why(page, "Not on a Friday", button="Cancel all")
    expect(page.locator("[data-count=cancelled]")).to_contain_text("2")
    assert set(Upgrade.objects.values_list("outcome", flat=True)) == {"succeeded", "cancelled"}


def test_an_operator_deploys_with_the_keyboard_alone(
    as_operator: Page, portal: str, fleet: Fleet
) -> None:
    page = as_operator
    fleet.devices(2)
    page.goto(f"{portal}{DEPLOY}?artifact={fleet.artifact().pk}")
    page.locator("[name=everything]").focus()
    page.keyboard.press("Space")
    page.locator("[name=reason]").focus()
    page.keyboard.type("Only keys tonight")
    press_tab_until(page, "Preview")
    page.keyboard.press("Enter")
    expect(page.locator("[data-takes]")).to_have_attribute("data-takes", "2")
    press_tab_until(page, "Confirm deployment")
    page.keyboard.press("Enter")
    expect(page.locator("#deployment")).to_contain_text("Only keys tonight")
    assert Upgrade.objects.count() == 2


def test_a_viewer_follows_a_deployment_and_is_told_why_she_can_do_nothing(
    as_viewer: Page, portal: str, fleet: Fleet
) -> None:
    fleet.with_everything()
    page, deployment = as_viewer, Deployment.objects.get()
    page.goto(f"{portal}/updates/deployment/")
    refused(page, "Deploy artifact", permission="updates.deploy_artifact")
    page.goto(portal + reverse("admin:updates_deployment_change", args=[deployment.pk]))
    expect(page.locator("#deployment")).to_contain_text("Night exposure")
    refused(page, "Cancel all", permission="updates.cancel_upgrade")
    answer = page.goto(portal + DEPLOY)
    assert answer is not None and answer.status == 403
