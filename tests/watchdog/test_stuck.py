"""What people are told of an upgrade of the portal that does not move: the watchdog has it, and no worker."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from tests.watchdog.orders import brought_to
from updates.machine import State
from updates.models import Upgrade
from updates.services.portal_follow import follow
from updates.watchdog.journal import FileJournal

pytestmark = pytest.mark.database(transaction=True)


@pytest.fixture
def client(transactional_db: None) -> Client:
    """Of somebody who may do everything."""
    made = Client()
    made.force_login(User.objects.create_superuser("ada"))
    return made


def verb(name: str, pk: object) -> str:
    return reverse(f"admin:updates_upgrade_{name}", args=[pk])


def test_one_that_the_watchdog_has_not_taken_sends_people_to_the_watchdog(
    ordered_one: Upgrade, client: Client
) -> None:
    shown = client.get(reverse("admin:updates_upgrade_stuck")).content.decode()
    assert "the portal&#x27;s watchdog has not taken it yet" in shown
    assert "logs watchdog" in shown
    assert "No worker carries it out" in shown
    assert "all workers are busy" not in shown
    assert "A worker that lives holds it." not in shown


def test_a_forced_cancel_says_what_it_can_and_advises_nothing_that_is_refused(
    ordered_one: Upgrade, client: Client
) -> None:
    page = verb("force_cancel", ordered_one.pk)
    shown = client.get(page).content.decode()
    assert "is asked to end it, and does within seconds" in shown
    assert "Try Recover first" not in shown
    assert "logs watchdog" in shown
    answer = client.post(page, {"reason": "Now"}, follow=True).content.decode()
    assert "It is over." in answer


def test_one_that_a_watchdog_has_in_hand_is_not_called_over(
    taken: FileJournal, client: Client
) -> None:
    brought_to(State.DOWNLOADING, taken)
    follow()
    answer = client.post(verb("force_cancel", taken.upgrade), {"reason": "Now"}, follow=True)
    shown = answer.content.decode()
    assert "The watchdog is asked to end it" in shown
    assert "It is over." not in shown
    assert taken.tick(), "it has heard of it"
    assert Upgrade.objects.get(pk=taken.upgrade).state == State.DOWNLOADING
