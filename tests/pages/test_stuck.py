"""The page of what does not move, and the two verbs for it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from portal.core.models import AuditEvent
from tests.pages.rows import rows
from updates.models import Upgrade
from updates.recipes.hold import HELD

pytestmark = pytest.mark.database

PAGE = reverse("admin:updates_upgrade_stuck")


@pytest.fixture
def dropped(waiting: Upgrade) -> Upgrade:
    """An upgrade whose worker was lost in the middle of the installation."""
    Upgrade.objects.filter(pk=waiting.pk).update(
        state="installing", worker="worker-7", lease_until=timezone.now() - timedelta(minutes=5)
    )
    waiting.refresh_from_db()
    return waiting


def verb(name: str, upgrade: Upgrade) -> str:
    return reverse(f"admin:updates_upgrade_{name}", args=[upgrade.pk])


def test_what_nobody_holds_is_shown_first_with_the_reason(
    operator: Client, dropped: Upgrade
) -> None:
    shown = operator.get(PAGE).content.decode()
    assert "Its worker worker-7 was lost while installing" in shown
    assert verb("recover", dropped) in shown
    assert verb("force_cancel", dropped) in shown


def test_what_waits_is_shown_under_its_reason(operator: Client, waiting: Upgrade) -> None:
    assert f'data-upgrade="{waiting.pk}"' in operator.get(PAGE).content.decode()
    assert f'data-upgrade="{waiting.pk}"' not in operator.get(f"{PAGE}?kind=stuck").content.decode()
    assert operator.get(f"{PAGE}?kind=nonsense").status_code == 200


def test_a_viewer_is_told_why_not(viewer: Client, dropped: Upgrade) -> None:
    shown = viewer.get(PAGE).content.decode()
    assert "You lack the permission updates.recover_upgrade." in shown
    assert "You lack the permission updates.force_cancel_upgrade." in shown
    before = rows()
    for name in ("recover", "force_cancel"):
        assert viewer.post(verb(name, dropped), {"reason": "Now"}).status_code == 403
    assert rows() == before


def test_recovering_frees_it_for_the_next_worker(operator: Client, dropped: Upgrade) -> None:
    response = operator.post(verb("recover", dropped), follow=True)
    assert response.status_code == 200
    dropped.refresh_from_db()
    assert dropped.lease_until is None
    assert AuditEvent.objects.filter(action="upgrade.recover").count() == 1


def test_what_a_worker_holds_is_not_recovered(operator: Client, dropped: Upgrade) -> None:
    later = timezone.now() + timedelta(minutes=1)
    Upgrade.objects.filter(pk=dropped.pk).update(lease_until=later)
    before = rows()
    response = operator.post(verb("recover", dropped))
    assert response.status_code == 422
    assert "worker-7 holds it until" in response.content.decode()
    assert rows() == before


def test_a_forced_cancel_says_what_it_leaves_behind_and_asks_why(
    operator: Client, dropped: Upgrade
) -> None:
    shown = operator.get(verb("force_cancel", dropped)).content.decode()
    assert "it ends as broken" in shown
    assert operator.post(verb("force_cancel", dropped), {"reason": " "}).status_code == 422
    response = operator.post(
        verb("force_cancel", dropped), {"reason": "The host burned down"}, follow=True
    )
    dropped.refresh_from_db()
    assert (dropped.state, dropped.outcome) == ("finished", "broken")
    shown = response.content.decode()
    assert "ended it by force" in shown
    assert "Somebody ended it by force, so nothing was undone or cleaned up." in shown
    assert AuditEvent.objects.get(action="upgrade.force_cancel").reason == "The host burned down"


def test_a_forced_cancel_before_any_change_is_harmless(operator: Client, waiting: Upgrade) -> None:
    shown = operator.get(verb("force_cancel", waiting)).content.decode()
    assert "it ends as cancelled" in shown


def test_the_page_of_a_dropped_upgrade_offers_the_same(operator: Client, dropped: Upgrade) -> None:
    page = reverse("admin:updates_upgrade_change", args=[dropped.pk])
    shown = operator.get(page).content.decode()
    assert "was lost while installing" in shown
    assert verb("recover", dropped) in shown


def test_what_waits_for_a_commit_can_be_committed_or_cancelled(
    operator: Client, viewer: Client, waiting: Upgrade
) -> None:
    Upgrade.objects.filter(pk=waiting.pk).update(state="verifying", facts={HELD: True})
    shown = operator.get(f"{PAGE}?kind=held").content.decode()
    assert verb("commit", waiting) in shown
    assert verb("cancel", waiting) in shown
    shown = viewer.get(f"{PAGE}?kind=held").content.decode()
    assert "You lack the permission updates.cancel_upgrade." in shown
