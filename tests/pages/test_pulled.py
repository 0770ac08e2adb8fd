"""What the pages say of upgrades that devices carry out themselves."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from portal.core import clock
from tests.pulled.pulling import Pulling, ending, fresh
from updates.models import Upgrade

pytestmark = pytest.mark.database


def _page(upgrade: Upgrade) -> str:
    return reverse("admin:updates_upgrade_change", args=[upgrade.pk])


def _verb(name: str, upgrade: Upgrade) -> str:
    return reverse(f"admin:updates_upgrade_{name}", args=[upgrade.pk])


def _shown(client: Client, address: str) -> str:
    return client.get(address).content.decode()


def test_one_that_waits_is_the_device_s_to_ask_for(operator: Client) -> None:
    upgrade = Pulling().ordered()
    shown = _shown(operator, _page(upgrade))
    assert "the device gets it when it asks next. It last asked" in shown
    assert _verb("recover", upgrade) not in shown


def test_one_under_way_says_when_the_device_was_heard_of(operator: Client) -> None:
    device = Pulling()
    upgrade = device.ordered()
    device.offered()
    device.says(upgrade, "installing", substate="ArtifactInstall_Enter")
    shown = _shown(operator, _page(upgrade))
    assert "The device does it by itself, and was last heard of" in shown
    assert "It says: installing, ArtifactInstall_Enter." in shown
    assert "if it says nothing more of it, the portal ends it at" in shown
    assert _verb("force_cancel", upgrade) not in shown


def test_a_cancel_says_when_the_device_hears_of_it_and_force_is_offered_then(
    operator: Client,
) -> None:
    device = Pulling()
    upgrade = device.ordered()
    device.offered()
    device.says(upgrade, "installing")
    asked = _shown(operator, _verb("cancel", upgrade))
    assert "hears of it with its next report" in asked
    operator.post(_verb("cancel", upgrade), {"reason": "Not this one"})
    shown = _shown(operator, _page(upgrade))
    assert "The device hears of it with its next report." in shown
    assert _verb("force_cancel", upgrade) in shown
    assert "which is told so when it reports next" in _shown(
        operator, _verb("force_cancel", upgrade)
    )


def test_one_that_is_overdue_is_stuck_until_recover_ends_it(operator: Client) -> None:
    device = Pulling()
    upgrade = device.ordered()
    device.offered()
    Upgrade.objects.filter(pk=upgrade.pk).update(state_entered_at=clock.now() - timedelta(days=2))
    stuck = _shown(operator, reverse("admin:updates_upgrade_stuck"))
    assert "and has said nothing of it for 2\xa0days." in stuck
    assert "It last asked" in stuck
    assert "Its device carries it out, and goes on with it" in stuck


def test_a_device_s_log_is_shown_after_the_end(operator: Client) -> None:
    device = Pulling()
    upgrade = device.ordered()
    device.offered()
    device.says(upgrade, "failure")
    device.send_log(upgrade, b"<b>no room</b>")
    assert ending(upgrade)[1] == "failed"
    shown = _shown(operator, _page(upgrade))
    assert '<b class="fw-call">device log</b>' in shown
    assert "&lt;b&gt;no room&lt;/b&gt;" in shown
    assert "Read the device&#x27;s log, below in the output" in shown


def test_one_that_holds_can_be_committed_on_its_page(operator: Client) -> None:
    device = Pulling()
    upgrade = device.ordered(holds=True)
    device.offered(update_control_map=True)
    device.says(upgrade, "pause_before_committing")
    shown = _shown(operator, _page(upgrade))
    assert "It is installed, and waits for you." in shown
    assert "The device was last heard of 0\xa0minutes ago." in shown
    operator.post(_verb("commit", upgrade), {"reason": "Looks well"})
    assert fresh(upgrade).facts["commit_wanted"]
