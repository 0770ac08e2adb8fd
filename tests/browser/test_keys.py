"""Keys: whose signature counts, those that the portal signs with, and what devices are reached with."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from devices.models import Credential
from portal.core.actors import PORTAL
from tests.access.world import PUBLIC_KEY
from tests.browser.conftest import SignIn
from tests.browser.test_artifacts import refused
from tests.browser.test_watch import say_why
from updates.models import SigningKey, TrustedKey
from updates.services.keys import Generated, generate_signing_key

TRUSTED, SIGNING = "/updates/trustedkey/", "/updates/signingkey/"
CREDENTIALS = "/devices/credential/"
WORD = "correct horse battery staple"


def test_an_administrator_trusts_a_key_and_takes_that_back(
    as_administrator: Page, portal: str
) -> None:
    page = as_administrator
    page.goto(portal + TRUSTED)
    page.get_by_role("link", name="Trust a key", exact=True).click()
    page.locator("[name=name]").fill("build server")
    page.locator("[name=pem]").fill("no key at all")
    page.get_by_role("button", name="Trust", exact=True).click()
    expect(page.locator(".fw-refusal")).to_be_visible()
    page.locator("[name=pem]").fill(PUBLIC_KEY)
    page.get_by_role("button", name="Trust", exact=True).click()
    expect(page.locator("#key")).to_contain_text("ECDSA")
    page.get_by_role("link", name="Trust no more", exact=True).click()
    say_why(page, "It leaked", button="Trust no more")
    expect(page.locator("body")).to_contain_text("trusted no more")
    assert not TrustedKey.objects.exists()


def test_an_administrator_has_a_signing_key_made_and_deletes_it(
    as_administrator: Page, portal: str
) -> None:
    page = as_administrator
    page.goto(f"{portal}{SIGNING}new/")
    page.locator("[name=name]").fill("house")
    page.locator("[name=how]").select_option("ecdsa-p256")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.locator("#key")).to_contain_text("BEGIN PUBLIC KEY")
    expect(page.locator("body")).not_to_contain_text("PRIVATE KEY")
    assert TrustedKey.objects.exists()
    page.get_by_role("link", name="Delete", exact=True).click()
    say_why(page, "A new one is there", button="Delete signing key")
    expect(page.locator("body")).to_contain_text("house is deleted")
    assert not SigningKey.objects.exists()


@pytest.mark.parametrize("role", ["operator", "viewer"])
def test_others_read_keys_and_are_told_why_they_cannot_change_them(
    role: str, sign_in: SignIn, portal: str
) -> None:
    generate_signing_key(name="house", kind=Generated.ECDSA, actor=PORTAL)
    page = sign_in(role)
    for here, add, button, remove in (
        (TRUSTED, "Trust a key", "Trust no more", "trustedkey"),
        (SIGNING, "Add a signing key", "Delete", "signingkey"),
    ):
        page.goto(portal + here)
        refused(page, add, permission=f"updates.add_{remove}")
        page.locator("#result_list tbody a").first.click()
        expect(page.locator("#key")).to_contain_text("BEGIN PUBLIC KEY")
        refused(page, button, permission=f"updates.delete_{remove}")
        answer = page.goto(f"{portal}{here}new/")
        assert answer is not None and answer.status == 403


@pytest.mark.usefixtures("fresh_web_server")
def test_a_secret_goes_in_and_is_never_shown_again(as_administrator: Page, portal: str) -> None:
    page = as_administrator
    page.goto(f"{portal}{CREDENTIALS}add/")
    page.locator("[name=name]").fill("shops")
    page.locator("[name=kind]").select_option("password")
    page.locator("[name=username]").fill("root")
    page.locator("[name=new_secret]").fill(WORD)
    page.get_by_role("button", name="Save", exact=True).click()
    page.locator("#result_list").get_by_role("link", name="shops", exact=True).click()
    expect(page.locator("[name=name]")).to_have_value("shops")
    assert WORD not in page.content()
    page.locator("[name=username]").fill("service")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("#result_list")).to_contain_text("service")
    kept = Credential.objects.get()
    assert (kept.username, kept.secret) == ("service", WORD)


@pytest.mark.parametrize("role", ["operator", "viewer"])
def test_others_see_that_there_is_a_credential_and_no_more(
    role: str, sign_in: SignIn, portal: str
) -> None:
    Credential.objects.create(name="shops", kind="password", username="root", secret=WORD)
    page = sign_in(role)
    page.goto(portal + CREDENTIALS)
    page.get_by_role("link", name="shops", exact=True).click()
    expect(page.locator("[name=username]")).to_have_count(0)
    expect(page.get_by_role("button", name="Save", exact=True)).to_have_count(0)
    assert WORD not in page.content()
    answer = page.goto(f"{portal}{CREDENTIALS}add/")
    assert answer is not None and answer.status == 403
