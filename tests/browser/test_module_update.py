"""A module update in a real browser: what is offered, who gets it, one instance first, and the others after it."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.test_watch import say_why
from tests.modules.rows import NEW, failed, new_instance, publish, succeeded, upgrade_of
from updates.models import Installation, ModuleOrder

UPDATES = "/updates/installation/available/"


def test_an_operator_updates_what_is_offered_one_first_and_the_others_after_it(
    as_operator: Page, portal: str
) -> None:
    page = as_operator
    publish("1.1.0")
    one, two = new_instance("mymodule1"), new_instance("mymodule2")
    page.goto(f"{portal}{UPDATES}")
    page.get_by_role("link", name="Update these 2").click()
    expect(page.locator("[name=image]")).to_have_value(NEW)
    page.locator("[name=canary]").check()
    page.locator("[name=reason]").fill("It is Tuesday")
    page.get_by_role("button", name="Preview").click()
    expect(page.locator("[data-takes]")).to_have_attribute("data-takes", "2")
    expect(page.locator("[data-instance=mymodule1]")).to_contain_text("the canary")
    assert not ModuleOrder.objects.exists()
    page.get_by_role("button", name="Confirm update").click()
    expect(page.locator("[data-count=waiting]")).to_contain_text("2")

    succeeded(upgrade_of(one))
    expect(page.locator("[data-count=succeeded]")).to_contain_text("1")
    failed(upgrade_of(two))
    expect(page.locator("[data-over=yes]")).to_be_visible()
    expect(page.locator("[data-count=failed]")).to_contain_text("1")


def test_an_operator_holds_an_instance_and_is_reminded_why(as_operator: Page, portal: str) -> None:
    page = as_operator
    one = new_instance("mymodule1")
    page.goto(f"{portal}/updates/instance/{one.pk}/change/")
    page.get_by_role("link", name="Hold", exact=True).click()
    say_why(page, "The audit is on.", button="Hold")
    expect(page.locator("[data-held=yes]")).to_contain_text("The audit is on.")
    assert Installation.objects.get().is_held


def test_a_viewer_sees_what_is_offered_and_is_told_why_she_can_do_nothing(
    as_viewer: Page, portal: str
) -> None:
    page = as_viewer
    publish("1.1.0")
    new_instance("mymodule1")
    page.goto(f"{portal}{UPDATES}")
    expect(page.locator("[data-image]")).to_contain_text("mymodule 1.1.0")
    expect(page.get_by_role("button", name="Update all")).to_be_disabled()
    expect(page.locator("body")).to_contain_text("You lack the permission updates.order_module.")
