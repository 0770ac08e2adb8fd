"""Coming in: a password, and a second factor where there is one."""

from __future__ import annotations

import time

from django_otp.oath import TOTP
from playwright.sync_api import Page, expect

from portal.second_factor.models import STEP_SECONDS, Authenticator
from tests.browser import axe
from tests.browser.conftest import PASSWORD


def test_a_wrong_password_lets_nobody_in(page: Page, portal: str) -> None:
    page.goto(portal)
    page.locator("[name=username]").fill("olga")
    page.locator("[name=password]").fill("a guess")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Please enter the correct username and password")).to_be_visible()
    assert not axe.serious_faults(page)


def test_the_sidebar_leads_a_viewer_to_what_she_may_see(as_viewer: Page, portal: str) -> None:
    expect(as_viewer).to_have_url(f"{portal}/")
    sidebar = as_viewer.locator("#nav-sidebar")
    expect(sidebar.get_by_role("link", name="History", exact=True)).to_be_visible()
    expect(sidebar.get_by_role("link", name="API tokens")).to_have_count(0)


def test_a_second_factor_is_set_up_and_asked_for_at_the_next_login(
    as_operator: Page, portal: str
) -> None:
    page = as_operator
    page.goto(f"{portal}/second-factor/")
    page.get_by_role("button", name="Set it up").click()
    assert not axe.serious_faults(page)
    page.locator("[name=code]").fill(code())
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_text("Recovery codes", exact=False).first).to_be_visible()
    assert not axe.serious_faults(page)

    page.context.clear_cookies()
    page.goto(f"{portal}/updates/upgrade/")
    page.locator("[name=username]").fill("olga")
    page.locator("[name=password]").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.locator("[name=code]").fill("000000")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_text("This code is not right")).to_be_visible()
    assert not axe.serious_faults(page)
    forget_the_wrong_code()
    page.locator("[name=code]").fill(code(steps=1))
    page.get_by_role("button", name="Log in").click()
    expect(page).to_have_url(f"{portal}/updates/upgrade/")


def code(*, steps: int = 0) -> str:
    """What Olga's app shows now, or will show in so many steps of 30 seconds."""
    totp = TOTP(bytes.fromhex(Authenticator.objects.get(user__username="olga").key))
    totp.time = time.time() + STEP_SECONDS * steps
    return f"{totp.token():06}"


def forget_the_wrong_code() -> None:
    """As if the wait after it were over."""
    Authenticator.objects.update(throttling_failure_timestamp=None, throttling_failure_count=0)
