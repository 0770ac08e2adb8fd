"""A release: its notes and tags, and taking it out of everybody's reach."""

from __future__ import annotations

from django.urls import reverse
from playwright.sync_api import Page, expect

from tests.browser.fleet import Fleet
from tests.browser.test_artifacts import refused
from tests.browser.test_watch import say_why
from updates.models import Upgrade


def of(fleet: Fleet) -> str:
    return reverse("admin:updates_release_change", args=[fleet.artifact().release_id])


def test_an_operator_writes_notes_and_finds_it_by_its_tag(
    as_operator: Page, portal: str, fleet: Fleet
) -> None:
    page = as_operator
    page.goto(portal + of(fleet))
    page.get_by_role("link", name="Notes and tags", exact=True).click()
    page.locator("[name=notes]").fill("Shows prices again")
    page.locator("[name=tags]").fill("stable shops")
    page.get_by_role("button", name="Save", exact=True).click()
    release = page.locator("#release")
    expect(release).to_contain_text("Shows prices again")
    release.get_by_role("link", name="shops", exact=True).click()
    expect(page.locator("#result_list tbody tr")).to_have_count(1)


def test_an_operator_withdraws_and_restores(as_operator: Page, portal: str, fleet: Fleet) -> None:
    page, device = as_operator, fleet.device()
    page.goto(portal + of(fleet))
    page.get_by_role("link", name="Withdraw", exact=True).click()
    say_why(page, "It forgets its settings", button="Withdraw")
    expect(page.locator("#release")).to_contain_text("It forgets its settings")
    expect(page.get_by_role("button", name="Deploy", exact=True)).to_be_disabled()
    apply = reverse("admin:updates_upgrade_apply", args=[device.pk])
    page.goto(f"{portal}{apply}?artifact={fleet.artifact().pk}")
    say_why(page, "In spite of it", button="Apply")
    expect(page.locator(".fw-refusal")).to_contain_text("It forgets its settings")
    assert not Upgrade.objects.exists()

    page.goto(portal + of(fleet))
    page.get_by_role("link", name="Restore", exact=True).click()
    say_why(page, "It was the display", button="Restore")
    expect(page.get_by_role("link", name="Deploy", exact=True)).to_be_visible()


def test_a_viewer_reads_it_and_is_told_why_she_cannot_change_it(
    as_viewer: Page, portal: str, fleet: Fleet
) -> None:
    page = as_viewer
    page.goto(portal + of(fleet))
    refused(page, "Notes and tags", permission="updates.change_release")
    refused(page, "Withdraw", permission="updates.withdraw_release")
    refused(page, "Delete", permission="updates.delete_artifact")
    for verb in ("edit", "withdraw"):
        address = reverse(f"admin:updates_release_{verb}", args=[fleet.artifact().release_id])
        answer = page.goto(portal + address)
        assert answer is not None and answer.status == 403
