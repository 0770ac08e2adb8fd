"""The end of the portal's own upgrade: cancelled, by force, in time, taken back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from portal.core import clock
from portal.core.actors import PORTAL
from portal.core.errors import Refused
from tests.watchdog.orders import WHY, brought_to, dies, take, told
from updates.errors import TooLate
from updates.machine import Event, State
from updates.models import Upgrade
from updates.services.force import force_cancel_upgrade
from updates.services.portal_follow import follow
from updates.services.portal_state import closed_by
from updates.services.portal_upgrades import upgrade_portal
from updates.services.upgrades import cancel_upgrade
from updates.watchdog.durable import locked
from updates.watchdog.folder import Folder
from updates.watchdog.heartbeat import Heart
from updates.watchdog.journal import FileJournal
from updates.watchdog.trigger import Inbox

pytestmark = pytest.mark.database


@pytest.fixture(autouse=True)
def _database(transactional_db: None) -> None:
    """What is written after a commit has to see one."""


class TestEnding:
    """Cancel, force cancel, and the time limit."""

    @pytest.fixture
    def late(self, settings: Settings) -> Iterator[None]:
        with clock.started_at(clock.now() + timedelta(seconds=1801)):
            yield

    def test_one_that_was_not_taken_is_over_at_once(
        self, folder: Folder, ordered_one: Upgrade
    ) -> None:
        cancelled = cancel_upgrade(upgrade=ordered_one, actor=PORTAL)

        assert (cancelled.state, cancelled.outcome) == ("finished", "cancelled")
        assert not folder.trigger.exists()

    def test_the_watchdog_hears_a_cancel(self, folder: Folder, taken: FileJournal) -> None:
        brought_to(State.DOWNLOADING, taken)
        follow()
        cancel_upgrade(upgrade=Upgrade.objects.get(pk=taken.upgrade), actor=PORTAL)

        assert taken.tick()
        taken.take(Event.CANCEL)
        brought_to(State.FINISHED, taken)
        follow()
        row = Upgrade.objects.get(pk=taken.upgrade)
        assert (row.outcome, row.cancel_requested_by) == ("cancelled", "portal")

    def test_a_cancel_that_comes_too_late_is_refused(
        self, folder: Folder, taken: FileJournal
    ) -> None:
        brought_to(State.COMMITTING, taken)
        with pytest.raises(TooLate, match="committing"):
            cancel_upgrade(upgrade=Upgrade.objects.get(pk=taken.upgrade), actor=PORTAL)

    def test_by_force_it_is_refused_while_the_watchdog_has_stopped_the_portal(
        self, folder: Folder, taken: FileJournal
    ) -> None:
        brought_to(State.RESTARTING, taken)
        row = Upgrade.objects.get(pk=taken.upgrade)
        with pytest.raises(Refused, match="has stopped the portal's containers"):
            force_cancel_upgrade(upgrade=row, actor=PORTAL, reason=WHY)

    def test_by_force_it_ends_where_no_watchdog_lives(self, folder: Folder) -> None:
        with Heart(folder, interval=60, version="1"):
            row = upgrade_portal(version="2.0.0", actor=PORTAL, reason=WHY)
        book = brought_to(State.RESTARTING, take(folder))

        ended = force_cancel_upgrade(upgrade=row, actor=PORTAL, reason=WHY)
        assert (ended.state, ended.outcome, ended.error_code) == ("finished", "broken", "UPD-303")
        assert closed_by() is None
        assert told(str(row.pk))[-1] == "finished"
        follow()
        with pytest.raises(Exception, match="Another watchdog holds"):
            book.take(Event.DONE)

    def test_what_is_overdue_and_was_never_taken_has_failed(
        self, folder: Folder, ordered_one: Upgrade, late: None
    ) -> None:
        follow()

        ordered_one.refresh_from_db()
        assert (ordered_one.outcome, ordered_one.error_code) == ("failed", "UPD-304")
        assert "not over after 30 minutes, and stood at pending" in ordered_one.error
        assert not folder.trigger.exists()

    def test_what_is_overdue_without_a_watchdog_is_ended(self, folder: Folder) -> None:
        with Heart(folder, interval=60, version="1"):
            row = upgrade_portal(version="2.0.0", actor=PORTAL, reason=WHY)
        brought_to(State.VERIFYING, take(folder))
        with clock.started_at(clock.now() + timedelta(seconds=1801)):
            follow()

        row.refresh_from_db()
        assert (row.outcome, row.error_code) == ("broken", "UPD-304")
        assert closed_by() is None

    def test_a_watchdog_that_lives_is_asked_to_end_what_is_overdue(
        self, folder: Folder, taken: FileJournal, late: None
    ) -> None:
        brought_to(State.DOWNLOADING, taken)
        follow()

        assert taken.tick()
        assert folder.cancel(taken.upgrade).read_text() == "The time limit"

    def test_a_truth_that_comes_later_is_told(self, folder: Folder, taken: FileJournal) -> None:
        record = brought_to(State.VERIFYING, taken)
        follow()
        Upgrade.objects.filter(pk=record.upgrade).update(
            state="finished", outcome="broken", finished_at=clock.now()
        )
        brought_to(State.FINISHED, taken)
        for _ in range(2):
            follow()

        assert told(record.upgrade)[-1].startswith("The watchdog went on with it after that")
        assert Upgrade.objects.get(pk=record.upgrade).outcome == "broken"


class TestTaken:
    """The trigger is out of everybody's reach, and nothing has become of it yet."""

    @pytest.fixture
    def stands(self, folder: Folder) -> Upgrade:
        """Its watchdog has died just then."""
        with locked(folder.holder, waits=False), Heart(folder, interval=60, version="1"):
            row = upgrade_portal(version="2.0.0", actor=PORTAL, reason=WHY)
        assert Inbox(folder).take() is not None
        assert folder.taken.exists()
        return row

    def test_it_is_ended_in_time(self, folder: Folder, stands: Upgrade) -> None:
        with clock.started_at(clock.now() + timedelta(seconds=1801)):
            follow()

        stands.refresh_from_db()
        assert (stands.outcome, stands.error_code) == ("failed", "UPD-304")
        assert not folder.taken.exists()

    def test_it_is_cancelled_at_once(self, folder: Folder, stands: Upgrade) -> None:
        cancelled = cancel_upgrade(upgrade=stands, actor=PORTAL)
        assert (cancelled.outcome, folder.taken.exists()) == ("cancelled", False)

    def test_a_watchdog_that_lives_hears_it(self, folder: Folder, stands: Upgrade) -> None:
        with locked(folder.holder, waits=False):
            asked = cancel_upgrade(upgrade=stands, actor=PORTAL)
        assert asked.state == "pending"
        assert folder.cancel(str(stands.pk)).read_text() == "portal"

    def test_force_cancel_is_on_its_page(
        self, folder: Folder, stands: Upgrade, client: Client, settings: Settings
    ) -> None:
        admin = User.objects.create_superuser("admin")
        client.force_login(admin, backend=settings.AUTHENTICATION_BACKENDS[-1])
        page = reverse("admin:updates_upgrade_change", args=[stands.pk])
        way = reverse("admin:updates_upgrade_force_cancel", args=[stands.pk])
        assert way not in client.get(page).content.decode()
        dies(folder)
        shown = client.get(page).content.decode()
        assert way in shown
        assert f"docker logs --tail 50 {settings.CONTAINER_NAME}-upgrader" in shown

    def test_what_nobody_has_is_over_at_once(self, folder: Folder, stands: Upgrade) -> None:
        folder.taken.unlink()
        assert cancel_upgrade(upgrade=stands, actor=PORTAL).outcome == "cancelled"


class TestFullDisk:
    """A folder that takes nothing ends nobody's loop."""

    def test_following_goes_on(
        self, folder: Folder, taken: FileJournal, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("updates.services.portal_follow.REQUESTS_SECONDS", 0)
        brought_to(State.INSTALLING, taken)
        folder.drained.mkdir()
        (folder.drained / "a").touch()
        folder.cancel(taken.upgrade).mkdir()
        (folder.cancel(taken.upgrade) / "a").touch()
        with clock.started_at(clock.now() + timedelta(seconds=1801)):
            follow()

        assert Upgrade.objects.get(pk=taken.upgrade).state == "installing"
