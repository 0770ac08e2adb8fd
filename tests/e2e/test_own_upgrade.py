"""The portal upgrades itself: its own image, its own Compose files with the overlay, a real engine, registry and browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.own_set import SECOND, SPOILS, UNWELL, OwnSet
from tests.environment.chromium import open_page
from tests.environment.docker import DockerEngine
from tests.environment.workdir import workdir

pytestmark = pytest.mark.e2e

MILLISECONDS: Final = 600_000
PORTAL: Final = ("fleetwright", "fleet_scheduler_1", "fleet_worker_1", "fleet_worker_2")
EACH: Final = {*PORTAL, "fleetwright-upgrader"}


@pytest.fixture(scope="module")
def own(docker_engine: DockerEngine) -> Iterator[OwnSet]:
    found = OwnSet(docker_engine, workdir() / "own-upgrade")
    try:
        found.production.up(upgrades=True)
        found.be_well_within(60)
        yield found
    finally:
        found.remove()


@pytest.fixture(scope="module")
def desk(own: OwnSet, chromium: Browser) -> Iterator[Page]:
    """A browser in which `admin` is logged in."""
    password = own.production.password()
    with open_page(chromium) as page:
        page.set_default_timeout(60_000)
        page.goto(f"{own.production.url}/login/")
        page.locator("[name=username]").fill("admin")
        page.locator("[name=password]").fill(password)
        page.get_by_role("button", name="Log in").click()
        page.wait_for_url(f"{own.production.url}/")
        yield page


def order(desk: Page, own: OwnSet, version: str) -> None:
    """Somebody orders it from the portal's own page, with its reason, and stays on the upgrade's page."""
    desk.goto(f"{own.production.url}/updates/watchedcontainer/portal/")
    expect(desk.locator("#portal .fw-good")).not_to_have_count(0)
    expect(desk.locator("#portal .fw-bad")).to_have_count(0)
    desk.get_by_role("link", name="Upgrade…", exact=True).click()
    desk.get_by_role("textbox", name="Version").fill(version)
    desk.locator("[name=reason]").fill("It is time")
    desk.get_by_role("button", name="Upgrade", exact=True).click()
    desk.wait_for_url("**/updates/upgrade/*/change/")


def test_its_own_upgrade_is_followed_on_the_page_that_is_open(own: OwnSet, desk: Page) -> None:
    order(desk, own, SECOND)
    told = desk.locator("#fw-upgrading")
    # The page asks every three seconds: which of the two it comes to see is chance.
    halfway = re.compile(r"Restarting services... \(60%\)|Running health checks... \(80%\)")
    expect(told).to_contain_text(halfway, timeout=MILLISECONDS)
    with desk.expect_navigation(timeout=MILLISECONDS):  # it is loaded anew by itself
        expect(told).to_contain_text("Upgrade complete! Reloading...", timeout=MILLISECONDS)

    expect(desk.locator("#upgrade")).to_contain_text("Succeeded")
    seen = own.newest_over(SECOND)
    assert seen["upgrades"][0] == [SECOND, "finished", "succeeded", "", ""]
    assert seen["version"] == SECOND
    assert own.versions() == dict.fromkeys(EACH, SECOND), "the watchdog made itself anew, last"


def test_its_data_are_backed_up_while_it_runs(own: OwnSet) -> None:
    runs = own.versions()
    made = own.back_up()

    assert (made["error"], made["is_live"], made["upgrade"]) == ("", True, None)
    assert any("/dumps/" in name for name in own.files_in(made["path"])), "the database's, too"
    assert own.versions() == runs


def test_its_backup_is_put_back_by_hand_as_the_docs_say(own: OwnSet) -> None:
    made = own.back_up()
    own.leave_mark()
    assert own.has_mark()
    own.put_back_by_hand(made["path"].rpartition("/")[2])

    assert not own.has_mark()
    assert own.production.ask("/readyz") == (200, "ready")


@pytest.mark.parametrize("version", [UNWELL, SPOILS])
def test_what_is_never_well_is_rolled_back(own: OwnSet, desk: Page, version: str) -> None:
    runs, before = own.versions(), own.look()
    order(desk, own, version)
    told = desk.locator("#fw-upgrading")
    expect(told).to_contain_text("failed, and was rolled back", timeout=MILLISECONDS)

    seen = own.newest_over(version)
    assert seen["upgrades"][0][:3] == [version, "finished", "rolled_back"]
    assert seen["upgrades"][1:] == before["upgrades"], "nothing of the history is lost"
    assert seen["tables"] == before["tables"], "and nothing stays of what the new version did"
    assert (own.versions(), seen["version"]) == (runs, before["version"])
