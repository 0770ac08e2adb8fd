"""Every page, in both themes, wide and on a phone: nothing that keeps people from reading or using it, no sideways scrolling."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from tests.browser.conftest import SignIn
from tests.browser.fleet import Fleet
from tests.browser.looks import faults, is_fine, prefer_light
from tests.browser.places import everywhere
from tests.environment.redis import RedisServer

PARTS = 4
"""Pages are looked at in so many tests, so that several can run at a time."""
OTHERS = {
    "index", "updates_release_changelist", "updates_release_change", "updates_artifact_changelist",
    "updates_artifact_change", "updates_updatemodule_changelist", "updates_updatemodule_change",
    "updates_trustedkey_changelist", "updates_trustedkey_change", "updates_signingkey_changelist",
    "updates_signingkey_change", "updates_deployment_changelist", "updates_deployment_change",
    "updates_upgrade_stuck", "upgrade, broken", "upgrade, waiting", "devices_device_changelist",
    "a device that pulls", "devices_authset_changelist", "accepted keys",
    "devices_device_change", "devices_devicegroup_changelist", "devices_devicegroup_change",
    "devices_credential_changelist", "devices_credential_change", "devices_device_engine", "patches_patch_changelist",
    "patches_patch_change", "a patch on an instance", "patches_node_changelist", "patches_node_change",
    "updates_instance_change", "upgrade, patch broken",
    "updates_repository_changelist", "updates_repository_change", "updates_installation_available",
    "updates_imageremoval_of_device", "updates_watchedcontainer_changelist", "updates_watchedcontainer_change",
    "updates_watchedcontainer_on",
    "updates_backup_of",
    "updates_moduleorder_changelist", "updates_moduleorder_change", "an instance of a module image",
}  # fmt: skip
"""Pages that show others than the administrator something else: buttons that they may not press, and why."""


def look_around(
    visitor: Page, portal: str, places: Mapping[str, str], *, is_quick: bool = False
) -> None:
    """Nothing is wrong with any of these pages."""
    found: dict[str, list[str]] = {}
    prefer_light(visitor)
    for name, address in places.items():
        answer = visitor.goto(portal + address)
        assert answer is not None
        assert answer.ok, f"{name} answers {answer.status}"
        for fault, where in faults(visitor, is_quick=is_quick).items():
            found.setdefault(fault, []).append(f"{name} {where}")
    assert not found, "\n".join(
        f"{fault}\n    on {len(names)}: {', '.join(names[:4])}" for fault, names in found.items()
    )


@pytest.mark.parametrize("part", range(PARTS))
def test_every_page_can_be_read_and_used(
    part: int, as_administrator: Page, portal: str, fleet: Fleet
) -> None:
    places = list(everywhere(fleet, User.objects.get(username="adam")).items())
    look_around(as_administrator, portal, dict(places[part::PARTS]))


@pytest.mark.parametrize("role", ["operator", "viewer"])
def test_pages_that_refuse_something_can_be_read_and_used(
    role: str, sign_in: SignIn, portal: str, fleet: Fleet
) -> None:
    administrator = User.objects.create_superuser("adam")
    places = everywhere(fleet, administrator)
    assert set(places) >= OTHERS
    shown = {name: places[name] for name in sorted(OTHERS)}
    look_around(sign_in(role), portal, shown, is_quick=True)


def test_the_system_s_theme_is_the_portal_s(as_viewer: Page, portal: str) -> None:
    for theme in ("dark", "light"):
        as_viewer.emulate_media(color_scheme=theme)
        as_viewer.goto(portal)
        is_dark = as_viewer.evaluate("document.documentElement.classList.contains('dark')")
        assert is_dark is (theme == "dark")


def test_whoever_comes_in_can_read_the_login_and_why_it_is_locked(
    page: Page, portal: str, redis_server: RedisServer
) -> None:
    prefer_light(page)
    page.goto(f"{portal}/updates/upgrade/")
    is_fine(page)
    heading = page.get_by_text("Locked out", exact=False)
    for _ in range(20):
        if heading.count():
            break
        page.locator("[name=username]").fill("olga")
        page.locator("[name=password]").fill("a guess")
        with page.expect_navigation():
            page.keyboard.press("Enter")
    expect(heading.first).to_be_visible()
    is_fine(page)


def test_what_is_not_there_or_not_allowed_can_be_read(as_viewer: Page, portal: str) -> None:
    prefer_light(as_viewer)
    for address, status in (
        ("/updates/upgrade/no-such-one/change/", 404),
        ("/no-such-page/", 404),
        ("/updates/artifact/upload/", 403),
        ("/auth/user/", 403),
    ):
        answer = as_viewer.goto(portal + address)
        assert answer is not None and answer.status == status
        is_fine(as_viewer)


def test_a_preview_can_be_read_and_used(as_operator: Page, portal: str, fleet: Fleet) -> None:
    page = as_operator
    prefer_light(page)
    fleet.devices(3)
    fleet.carried_out(fleet.device("kiosk-01"))
    page.goto(f"{portal}/updates/deployment/deploy/?artifact={fleet.artifact().pk}")
    page.locator("[name=everything]").check()
    page.locator("[name=reason]").fill("For the rest of them")
    page.get_by_role("button", name="Preview").click()
    expect(page.locator("[data-takes]")).to_have_attribute("data-takes", "2")
    is_fine(page)
