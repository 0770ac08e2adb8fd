"""A cancel of the portal's own upgrade, whatever the watchdog or another process of the portal is doing just then."""

from __future__ import annotations

import threading

import pytest
from django.db import connection, transaction

from portal.core.actors import PORTAL
from tests.watchdog.orders import WHY
from updates.machine import Outcome
from updates.models import Upgrade
from updates.plan import ContainerPlan
from updates.runner import Failure
from updates.services.portal_trigger import hand_over
from updates.services.portal_upgrades import ended, upgrade_portal
from updates.services.upgrades import cancel_upgrade
from updates.watchdog.durable import locked
from updates.watchdog.folder import Folder
from updates.watchdog.heartbeat import Heart
from updates.watchdog.kinds import require_kinds
from updates.watchdog.orders import ordered
from updates.watchdog.record import write_record
from updates.watchdog.trigger import Inbox

pytestmark = pytest.mark.database


@pytest.fixture(autouse=True)
def _database(transactional_db: None) -> None:
    """What is written after a commit has to see one."""


def test_what_the_portal_writes_is_of_the_kinds_that_the_watchdog_wants(
    folder: Folder, ordered_one: Upgrade
) -> None:
    trigger = Inbox(folder).take()
    assert trigger is not None
    assert trigger.plan is not None
    require_kinds(ContainerPlan.from_json(trigger.plan), ContainerPlan)


def test_one_that_only_the_watchdog_knows_of_hears_it_all_the_same(
    folder: Folder, ordered_one: Upgrade
) -> None:
    """What the portal was shown is gone: it cannot know that somebody has it in hand."""
    folder.trigger.unlink()
    cancelled = cancel_upgrade(upgrade=ordered_one, actor=PORTAL)
    assert cancelled.outcome == "cancelled"
    assert folder.cancel(str(ordered_one.pk)).read_text() == "portal"


def test_where_nothing_can_be_written_it_is_cancelled_all_the_same(
    folder: Folder, ordered_one: Upgrade
) -> None:
    folder.trigger.unlink()
    (folder.cancel(str(ordered_one.pk)) / "in the way").mkdir(parents=True)
    assert cancel_upgrade(upgrade=ordered_one, actor=PORTAL).outcome == "cancelled"


def test_one_that_was_shown_and_not_begun_is_left_to_the_watchdog(folder: Folder) -> None:
    """It has died between the two: the next one finds the cancel before anything else."""
    with locked(folder.holder, waits=False), Heart(folder, interval=60, version="1"):
        row = upgrade_portal(version="2.0.0", actor=PORTAL, reason=WHY)
        trigger = Inbox(folder).take()
        assert trigger is not None
        write_record(folder, ordered(trigger, plan={}))
    asked = cancel_upgrade(upgrade=row, actor=PORTAL)
    assert (asked.state, folder.taken.exists()) == ("pending", True)
    assert folder.cancel(str(row.pk)).read_text() == "portal"


def test_what_is_over_is_not_handed_over_by_whoever_read_it_before(
    folder: Folder, ordered_one: Upgrade
) -> None:
    before = Upgrade.objects.get(pk=ordered_one.pk)
    cancel_upgrade(upgrade=ordered_one, actor=PORTAL)
    hand_over(before)
    assert not folder.trigger.exists()


@pytest.mark.only_postgresql
@pytest.mark.parametrize("verb", ["cancel", "force"])
def test_who_hands_it_over_and_who_ends_it_wait_for_each_other(
    folder: Folder, ordered_one: Upgrade, verb: str
) -> None:
    """Whichever is first: no trigger is there of what is over."""
    folder.trigger.unlink()
    pk = ordered_one.pk

    def end() -> None:
        row = Upgrade.objects.get(pk=pk)
        if verb == "cancel":
            cancel_upgrade(upgrade=row, actor=PORTAL)
        else:
            ended(row, Failure("UPD-303", "Enough."), outcome=Outcome.CANCELLED)
        connection.close()

    other = threading.Thread(target=end)
    with transaction.atomic():
        hand_over(Upgrade.objects.get(pk=pk))
        folder.trigger.rename(folder.data / "late")  # as if it came after the other has looked
        other.start()
        other.join(1)
        (folder.data / "late").rename(folder.trigger)
    other.join()
    assert Upgrade.objects.get(pk=pk).outcome == "cancelled"
    assert not folder.trigger.exists()
