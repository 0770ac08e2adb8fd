"""An upgrade whose worker is no more: put back to work, or ended by force."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from tests.browser.fleet import Fleet
from tests.browser.test_watch import of, say_why, watched
from updates.models import Upgrade

STUCK = "/updates/upgrade/stuck/"


@pytest.fixture
def left(fleet: Fleet) -> Upgrade:
    return fleet.left_by_its_worker(fleet.device())


def test_an_approver_puts_it_back_to_work(
    as_approver: Page, portal: str, left: Upgrade, start_worker: Callable[[], None]
) -> None:
    page = as_approver
    page.goto(portal + STUCK)
    expect(page.locator("body")).to_contain_text("worker-that-died")
    page.get_by_role("link", name="Recover", exact=True).click()
    page.get_by_role("button", name="Recover", exact=True).click()
    expect(page).to_have_url(portal + of(left))
    start_worker()  # not before: a worker that starts recovers by itself
    assert watched(page) == "succeeded"


def test_an_approver_ends_it_by_force(as_approver: Page, portal: str, left: Upgrade) -> None:
    page = as_approver
    page.goto(portal + STUCK)
    page.get_by_role("link", name="Force cancel", exact=True).click()
    say_why(page, "The device was scrapped", button="Force cancel")
    assert watched(page) == "cancelled"  # nothing had been changed yet
    page.goto(portal + STUCK)
    expect(page.locator("body")).not_to_contain_text("worker-that-died")


def test_an_operator_and_a_viewer_are_told_why_they_cannot(
    as_operator: Page, portal: str, left: Upgrade
) -> None:
    page = as_operator
    page.goto(portal + of(left))
    for verb, permission in (
        ("Recover", "updates.recover_upgrade"),
        ("Force cancel", "updates.force_cancel_upgrade"),
    ):
        button = page.get_by_role("button", name=verb, exact=True)
        expect(page.locator(".fw-off", has=button)).to_contain_text(permission)
    answer = page.goto(portal + reverse("admin:updates_upgrade_force_cancel", args=[left.pk]))
    assert answer is not None and answer.status == 403
