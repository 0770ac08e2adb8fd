"""People with the portal open are told of its own upgrade, before and during, and see the new version by themselves."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from portal.core.actors import PORTAL
from tests.journal.rows import brought_to, held
from updates import journal
from updates.machine import State
from updates.services.container_orders import build_container_upgrade, plan_container
from updates.services.portal_container import know_portal

STEPS = {
    State.BACKING_UP: "Upgrading to 2.0.0... Creating backup... (20%)",
    State.DOWNLOADING: "Upgrading to 2.0.0... Downloading new version... (40%)",
    State.INSTALLING: "Upgrading to 2.0.0... Restarting services... (60%)",
    State.VERIFYING: "Upgrading to 2.0.0... Running health checks... (80%)",
}


def test_an_open_page_follows_the_portals_own_upgrade_and_loads_itself_anew(
    as_administrator: Page, portal: str
) -> None:
    watched = know_portal()
    watched.is_portal = False  # here, so that a worker's journal plays the watchdog's
    plan = plan_container(watched, image="fleetwright:2.0.0")
    upgrade = build_container_upgrade(plan, watched=watched, actor=PORTAL, reason="It is time")
    journal.open_upgrades([upgrade])
    as_administrator.goto(portal + "/devices/device/")
    told = as_administrator.locator("#fw-upgrading")
    expect(told).to_contain_text("2.0.0")
    book = held(upgrade)
    for state, words in STEPS.items():
        brought_to(state, book)
        expect(told).to_contain_text(words)
    with as_administrator.expect_navigation():
        brought_to(State.FINISHED, book)
        expect(told).to_contain_text("Upgrade complete! Reloading...")
    expect(as_administrator.locator("#fw-upgrading")).to_be_hidden()
