"""Install now, commit later: an upgrade that holds before its commit waits for a person, and for no worker."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from portal.core.actors import PORTAL
from portal.core.errors import Conflict
from tests.transitions.played import AFTER, BEFORE, FolderDevice, carried_out, order
from updates import lease
from updates.machine import Outcome, State
from updates.models import Upgrade
from updates.queries import Standstill, stuck, stuck_upgrades
from updates.services.carry_out import Ending
from updates.services.recover import recover
from updates.services.upgrades import cancel_upgrade, commit_upgrade

pytestmark = pytest.mark.database


@pytest.fixture(params=["No", "Yes"])
def held(device: FolderDevice, request: pytest.FixtureRequest) -> Upgrade:
    """It is installed, with or without a restart, and waits."""
    upgrade = order(device, {"rollback": "Yes", "reboot": request.param}, holds=True)
    assert carried_out(device, upgrade) is Ending.HANDED_OVER
    assert upgrade.state == State.VERIFYING
    assert device.is_changed()
    assert device.provides() == BEFORE
    return upgrade


def test_it_waits_for_nobody_but_a_person(device: FolderDevice, held: Upgrade) -> None:
    Upgrade.objects.update(state_entered_at=timezone.now() - timedelta(days=30))
    assert recover() == []
    assert not stuck_upgrades(Standstill.UNHELD).exists()
    assert not stuck_upgrades(Standstill.OVERDUE).exists()
    assert [row.upgrade for row in stuck()] == [held]
    assert [row.kind for row in stuck()] == [Standstill.HELD]
    calls = device.log()
    assert carried_out(device, held) is Ending.HANDED_OVER
    assert device.log() == calls, "a worker that looks does nothing"


def test_committed_it_succeeds(device: FolderDevice, held: Upgrade) -> None:
    commit_upgrade(upgrade=held, actor=PORTAL, reason="It looks good")
    assert recover() == [held]
    assert carried_out(device, held) is Ending.FINISHED
    assert held.outcome == Outcome.SUCCEEDED
    assert device.provides() == AFTER
    assert device.log().count("ArtifactInstall") == 1


def test_cancelled_it_is_taken_back(device: FolderDevice, held: Upgrade) -> None:
    cancel_upgrade(upgrade=held, actor=PORTAL, reason="The screen stays dark")
    assert recover() == [held]
    assert carried_out(device, held) is Ending.FINISHED
    assert held.outcome == Outcome.ROLLED_BACK
    assert device.provides() == BEFORE
    assert not device.is_changed()


@pytest.mark.parametrize("decide", [commit_upgrade, cancel_upgrade])
def test_how_long_somebody_thought_about_it_is_no_step_s_fault(
    held: Upgrade, decide: Callable[..., object]
) -> None:
    long_ago = timezone.now() - timedelta(days=30)
    Upgrade.objects.update(state_entered_at=long_ago, unheld_since=long_ago)
    decide(upgrade=held, actor=PORTAL, reason="Looked at")
    for _ in range(2):
        assert stuck_upgrades(Standstill.UNHELD).exists()
        assert not stuck_upgrades(Standstill.OVERDUE).exists()
        fence = lease.claim(str(held.pk), worker="another")
        assert fence is not None
        assert not stuck_upgrades(Standstill.OVERDUE).exists()
        assert lease.release(str(held.pk), fence=fence)


def test_only_what_waits_for_it_is_committed(device: FolderDevice, held: Upgrade) -> None:
    commit_upgrade(upgrade=held, actor=PORTAL, reason="It looks good")
    with pytest.raises(Conflict, match="does not wait"):
        commit_upgrade(upgrade=held, actor=PORTAL, reason="Twice")
    carried_out(device, held)
    with pytest.raises(Conflict, match="does not wait"):
        commit_upgrade(upgrade=held, actor=PORTAL, reason="Late")


def test_a_worker_lost_at_the_last_moment_is_no_obstacle(
    device: FolderDevice, held: Upgrade
) -> None:
    Upgrade.objects.update(lease_until=timezone.now() - timedelta(minutes=1))
    assert [row.kind for row in stuck()] == [Standstill.HELD]
    commit_upgrade(upgrade=held, actor=PORTAL, reason="It looks good")
    assert recover() == [held]
    assert carried_out(device, held) is Ending.FINISHED
    assert held.outcome == Outcome.SUCCEEDED
