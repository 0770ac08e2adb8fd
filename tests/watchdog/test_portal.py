"""The portal's part in its own upgrade: ordering it, following it, ending it."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import NoReturn

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from portal.core import clock
from portal.core.actors import PORTAL
from portal.core.errors import NotPermitted, Refused
from portal.core.models import AuditEvent
from tests.services.people import somebody
from tests.watchdog.orders import WHY, brought_to, dies, take, told
from tests.watchdog.records import held
from updates.errors import TargetBusy
from updates.machine import HAPPY_PATH, Event, State
from updates.models import ContainerCheck, Upgrade, WatchedContainer
from updates.recipes.finding import Finding
from updates.runner import Failure
from updates.services.carry_out import Ending, carry_out
from updates.services.container_checks import carry_out_preflight
from updates.services.portal_container import know_portal
from updates.services.portal_follow import follow, recover_portal
from updates.services.portal_state import closed_by, watchdog_status
from updates.services.portal_upgrades import upgrade_portal
from updates.services.upgrades import retry_upgrade, roll_back_upgrade
from updates.services.watch_settings import save_watched
from updates.watchdog.durable import locked
from updates.watchdog.folder import Folder
from updates.watchdog.heartbeat import Heart
from updates.watchdog.journal import FileJournal
from updates.watchdog.orders import ordered
from updates.watchdog.preflight import write_preflight
from updates.watchdog.record import write_record
from updates.watchdog.trigger import Inbox, Trigger

pytestmark = pytest.mark.database


def person(name: str, *permissions: str) -> User:
    somebody(name, *permissions)
    User.objects.filter(username=name).update(is_staff=True)
    return User.objects.get(username=name)


@pytest.fixture(autouse=True)
def _database(transactional_db: None) -> None:
    """What is written after a commit has to see one."""


def test_an_order_is_on_record_before_the_watchdog_hears_of_it(
    folder: Folder, ordered_one: Upgrade
) -> None:
    trigger = Inbox(folder).take()

    assert trigger is not None
    assert (trigger.upgrade, trigger.version) == (str(ordered_one.pk), "2.0.0")
    assert (trigger.sequence, trigger.requested_by, trigger.reason) == (1, "portal", WHY)
    row = Upgrade.objects.get(pk=ordered_one.pk)
    assert (row.state, row.executor, row.kind) == ("pending", "watchdog", "container")
    assert AuditEvent.objects.filter(action="portal.upgrade", subject_id=str(row.pk)).exists()
    assert WatchedContainer.objects.get(is_portal=True).instance == row.instance


def test_the_next_order_has_the_next_number(folder: Folder, taken: FileJournal) -> None:
    brought_to(State.FINISHED, taken)
    follow()
    upgrade_portal(version="3.0.0", actor=PORTAL, reason=WHY)

    trigger = Inbox(folder).take()
    assert trigger is not None
    assert trigger.sequence == 2


def test_it_is_refused_with_the_reason_where_no_watchdog_lives(
    folder: Folder, settings: Settings
) -> None:
    with pytest.raises(Refused, match="No watchdog has ever run"):
        upgrade_portal(version="2", actor=PORTAL, reason=WHY)
    dies(folder)
    with pytest.raises(Refused, match="last sign of life"):
        upgrade_portal(version="2", actor=PORTAL, reason=WHY)
    with Heart(folder, interval=60, version="1", trouble="IMAGE_NAME is wrong."):
        pass
    with pytest.raises(Refused, match="IMAGE_NAME is wrong"):
        upgrade_portal(version="2", actor=PORTAL, reason=WHY)
    settings.AUTO_UPGRADE_ENABLED = False
    with pytest.raises(Refused, match=r"compose\.upgrade\.yaml"):
        upgrade_portal(version="2", actor=PORTAL, reason=WHY)
    assert not Upgrade.objects.exists()
    assert not folder.trigger.exists()


def test_a_second_one_is_busy(folder: Folder, ordered_one: Upgrade) -> None:
    with pytest.raises(TargetBusy):
        upgrade_portal(version="3", actor=PORTAL, reason=WHY)
    book = take(folder)
    with pytest.raises(TargetBusy) as busy:
        upgrade_portal(version="3", actor=PORTAL, reason=WHY)
    assert busy.value.holder == book.upgrade


def test_it_takes_a_permission_of_its_own_and_another_for_force(
    folder: Folder, alive: Heart
) -> None:
    with pytest.raises(NotPermitted):
        upgrade_portal(version="2", actor=somebody("ann", "upgrade_container"), reason=WHY)
    one = somebody("bob", "upgrade_portal")
    for asked in ({"force": True}, {"backup": False}):
        with pytest.raises(NotPermitted):
            upgrade_portal(version="2", actor=one, reason=WHY, **asked)
    upgrade_portal(version="2", actor=one, reason=WHY)


@pytest.mark.parametrize("version", ["", "../x", "a b", "2.0;reboot", "x" * 129])
def test_a_version_is_a_tag(folder: Folder, alive: Heart, version: str) -> None:
    with pytest.raises(Refused, match="not a tag"):
        upgrade_portal(version=version, actor=PORTAL, reason=WHY)


def test_the_history_says_what_the_file_says_once(folder: Folder, taken: FileJournal) -> None:
    taken.note("hello")
    brought_to(State.DOWNLOADING, taken)
    for _ in range(3):
        follow()
    row = Upgrade.objects.get(pk=taken.upgrade)
    assert (row.state, row.progress) == ("downloading", 40)
    assert told(taken.upgrade) == ["pending", "hello", "checking", "backing_up", "downloading"]

    brought_to(State.FINISHED, taken)
    for _ in range(3):
        follow()
    row.refresh_from_db()
    assert (row.state, row.outcome, row.progress) == ("finished", "succeeded", 100)
    assert row.finished_at is not None
    assert told(taken.upgrade).count("finished") == 1


def test_a_history_that_was_set_back_with_the_data_catches_up(
    folder: Folder, taken: FileJournal
) -> None:
    """As a backup has it: the order, and nothing of what came after."""
    brought_to(State.INSTALLING, taken)
    taken.take(Event.FAILED, failure=Failure("UPD-200", "It never became well."))
    while taken.state is not State.FINISHED:
        taken.take(Event.DONE)

    follow()
    row = Upgrade.objects.get(pk=taken.upgrade)
    assert (row.outcome, row.error) == ("rolled_back", "It never became well.")
    assert told(taken.upgrade)[-1] == "finished"


def test_what_was_asked_for_by_hand_is_in_the_history(folder: Folder) -> None:
    folder.trigger.write_text('{"version": "latest"}')
    book = brought_to(State.FINISHED, take(folder))

    follow()
    row = Upgrade.objects.get(pk=book.upgrade)
    assert (row.outcome, row.to_version, row.executor) == ("succeeded", "latest", "watchdog")
    assert row.requested_by_name == "somebody who wrote the trigger by hand"
    assert told(book.upgrade) == list(HAPPY_PATH)


def test_a_file_with_the_id_of_somebody_elses_upgrade_changes_nothing(folder: Folder) -> None:
    watched = know_portal()
    now = clock.now()
    mine = Upgrade.objects.create(
        kind="artifact", device=watched.instance.device, plan={}, reason=WHY, created_at=now,
        requested_by_name="ann", state_entered_at=now,
    )  # fmt: skip
    trigger = Trigger(upgrade=str(mine.pk), version="2")
    write_record(folder, ordered(trigger, plan={}))
    brought_to(State.FINISHED, held(folder, str(mine.pk)))

    follow()
    mine.refresh_from_db()
    assert mine.state == "pending"


def test_garbage_in_the_folder_stops_nobody(folder: Folder, taken: FileJournal) -> None:
    for name, content in (("a.json", "{"), ("b.json", "[]"), ("c.json", '{"format": 1}')):
        (folder.journals / name).write_text(content)
    brought_to(State.FINISHED, taken)

    follow()
    assert Upgrade.objects.get(pk=taken.upgrade).state == "finished"


def test_a_trigger_that_was_lost_is_written_again(folder: Folder, ordered_one: Upgrade) -> None:
    folder.trigger.unlink()
    follow()

    trigger = Inbox(folder).take()
    assert trigger is not None
    assert trigger.upgrade == str(ordered_one.pk)
    follow()
    assert not folder.trigger.exists(), "it is being taken"


def test_how_the_portal_wants_to_be_upgraded_is_left_for_the_watchdog(folder: Folder) -> None:
    recover_portal()

    left = json.loads(folder.template.read_text())
    assert left["backup"]["directory"] == f"{folder.data}/backups"
    assert left["instance"] == "fleetwright"


@pytest.mark.parametrize(
    "probe",
    [
        {"kind": "http", "url": "http://127.0.0.1:8000/livez"},
        {"kind": "tcp", "host": "127.0.0.1", "port": 1},
    ],
)
def test_a_probe_that_the_watchdog_cannot_ask_is_refused(
    folder: Folder, probe: dict[str, object]
) -> None:
    watched = know_portal()
    watched.probes = [probe]
    with pytest.raises(ValidationError, match="has no network"):
        save_watched(watched=watched, actor=PORTAL)


def test_a_preflight_says_what_the_watchdog_saw(folder: Folder, alive: Heart) -> None:
    now = clock.now()
    check = ContainerCheck.objects.create(
        watched=know_portal(), image="registry.invalid/fleetwright:2", verdict="waiting",
        installed="", requested_by_name="ann", requested_at=now, findings=[],
    )  # fmt: skip
    carry_out_preflight(check)
    assert any("has not said yet" in one["says"] for one in check.findings)
    data = Finding("data", ok=True, says="NOT backed up.", warns=True)
    write_preflight(folder, [Finding("Compose", ok=False, says="The tag is pinned."), data])
    carry_out_preflight(check)
    assert check.verdict == "refused"
    found = [one for one in check.findings if one["what"] == "Compose"]
    assert found[0]["says"].startswith("The tag is pinned. (The watchdog, at ")
    assert [one["what"] for one in check.findings if one.get("warns")] == ["data"]
    folder.preflight.write_text('{"at": 1, "findings": ["x"]}')
    carry_out_preflight(check)
    assert any("has not said yet" in one["says"] for one in check.findings)


class TestClosed:
    """While its containers may be stopped or put back, the portal takes nothing in."""

    @pytest.mark.parametrize("state", HAPPY_PATH)
    def test_it_is_closed_from_the_stop_to_the_commit(
        self, folder: Folder, taken: FileJournal, state: State
    ) -> None:
        brought_to(state, taken)
        is_closed = state in HAPPY_PATH[4:8]
        answer = Client().get("/login/?next=/")

        assert (closed_by() is not None) is is_closed
        assert answer.status_code == (503 if is_closed else 200)

    def test_everybody_is_told_when_to_come_again(self, folder: Folder, taken: FileJournal) -> None:
        brought_to(State.VERIFYING, taken)

        page = Client().get("/", headers={"accept": "text/html"})
        assert (page.status_code, page["Retry-After"], page["Refresh"]) == (503, "10", "10")
        assert b"being upgraded to 2.0.0, 80 %" in page.content
        form = Client().post("/login/", {"username": "a"})
        assert form.status_code == 503
        answer = Client().get("/api/v1/devices/")
        assert (answer.status_code, answer.json()["retryable"]) == (503, True)
        assert Client().get("/livez").status_code == 200

    def test_who_may_ends_it_by_force_where_the_watchdog_is_dead(
        self, folder: Folder, settings: Settings
    ) -> None:
        backend = settings.AUTHENTICATION_BACKENDS[-1]
        with locked(folder.holder, waits=False), Heart(folder, interval=60, version="1"):
            row = upgrade_portal(version="2.0.0", actor=PORTAL, reason=WHY)
            brought_to(State.RESTARTING, take(folder))
            follow()
            way_out = reverse("admin:updates_upgrade_force_cancel", args=[row.pk])
            page = Client().get("/", headers={"accept": "text/html"})
            assert b"sign of life" not in page.content
            assert Client().get(way_out).status_code == 503
            assert Client().get("/login/").status_code == 503
        dies(folder)

        page = Client().get("/", headers={"accept": "text/html"})
        assert page.status_code == 503
        assert b"last sign of life" in page.content
        assert f'href="{way_out}"'.encode() in page.content
        assert "Refresh" in page
        told = Client().get("/api/v1/devices/").json()["detail"]
        assert told.endswith(f"POST /api/v1/upgrades/{row.pk}/force-cancel")
        assert Client().get(f"/login/?next={way_out}").status_code == 200
        assert Client().get("/admin/").status_code == 503
        anybody = Client()
        anybody.force_login(person("ann"), backend=backend)
        assert anybody.get(way_out).status_code == 403
        someone = Client()
        someone.force_login(person("bob", "view_upgrade", "force_cancel_upgrade"), backend=backend)
        assert someone.get(way_out).status_code == 200
        assert someone.post(way_out, {"reason": WHY}).status_code == 302

        row.refresh_from_db()
        assert (row.state, row.outcome) == ("finished", "broken")
        assert Client().get("/login/").status_code == 200

    def test_after_a_rollback_it_is_open_again(self, folder: Folder, taken: FileJournal) -> None:
        brought_to(State.VERIFYING, taken)
        taken.take(Event.FAILED)
        assert closed_by() is not None
        brought_to(State.FINISHED, taken)
        assert closed_by() is None

    def test_no_upgrade_begins(self, folder: Folder, taken: FileJournal) -> None:
        brought_to(State.INSTALLING, taken)
        follow()
        other = Upgrade.objects.create(
            kind="artifact", device=know_portal().instance.device, plan={}, reason=WHY,
            created_at=clock.now(), requested_by_name="ann", state_entered_at=clock.now(),
        )  # fmt: skip

        def never(*_: object) -> NoReturn:
            raise AssertionError("it began")

        ending = carry_out(str(other.pk), make_recipe=never, worker="w", wants_leave=lambda: False)
        assert ending is Ending.WAITS

    def test_it_says_drained_when_nobody_holds_anything(
        self, folder: Folder, taken: FileJournal, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("updates.services.portal_follow.REQUESTS_SECONDS", 0)
        brought_to(State.DOWNLOADING, taken)
        follow()
        assert not folder.drained.exists()
        taken.take(Event.DONE)
        other = self._held_upgrade()
        follow()
        assert not folder.drained.exists()

        Upgrade.objects.filter(pk=other.pk).update(lease_until=None)
        follow()
        assert json.loads(folder.drained.read_text()) == {"upgrade": taken.upgrade}

    def _held_upgrade(self) -> Upgrade:
        now = clock.now()
        return Upgrade.objects.create(
            kind="artifact", device=know_portal().instance.device, plan={}, reason=WHY,
            created_at=now, requested_by_name="ann", state_entered_at=now,
            lease_until=now + timedelta(minutes=1), worker="w",
        )  # fmt: skip


def test_what_no_database_stores_is_taken_over_as_text(taken: FileJournal) -> None:
    taken.note("It was\0 looked at\ud800.")
    follow()
    last = Upgrade.objects.get(pk=taken.upgrade).events.latest("seq")
    assert last.text == "It was\ufffd looked at\ufffd."


def test_taking_it_back_and_trying_again_are_the_watchdogs_too(
    folder: Folder, taken: FileJournal
) -> None:
    taken.remember("kept", True)
    brought_to(State.FINISHED, taken)
    follow()
    with pytest.raises(NotPermitted):
        roll_back_upgrade(
            upgrade=Upgrade.objects.get(pk=taken.upgrade),
            actor=somebody("ann", "roll_back_upgrade"),
            reason=WHY,
        )
    back = roll_back_upgrade(
        upgrade=Upgrade.objects.get(pk=taken.upgrade), actor=PORTAL, reason=WHY
    )

    trigger = Inbox(folder).take()
    assert trigger is not None
    assert trigger.upgrade == str(back.pk)
    assert trigger.plan is not None
    assert (trigger.plan["mode"], trigger.plan["kept_of"]) == ("restore", taken.upgrade)
    Inbox(folder).done()
    cancel = Failure("UPD-200", "No.")
    write_record(folder, ordered(trigger, plan=trigger.plan))
    book = brought_to(State.CHECKING, held(folder, trigger.upgrade))
    book.take(Event.FAILED, failure=cancel)
    brought_to(State.FINISHED, book)
    follow()
    again = retry_upgrade(upgrade=Upgrade.objects.get(pk=back.pk), actor=PORTAL, reason=WHY)
    assert again.executor == "watchdog"
    assert folder.trigger.exists()


def test_a_status_of_another_upgrade_says_nothing_of_this_one(folder: Folder, alive: Heart) -> None:
    old = Trigger(upgrade="6f1c1f3e-7a0b-4f3e-9a53-3d3b7f7a1c11", version="1.9")
    write_record(folder, ordered(old, plan={}))
    brought_to(State.FINISHED, held(folder, old.upgrade))
    row = upgrade_portal(version="2.0.0", actor=PORTAL, reason=WHY)

    follow()
    row.refresh_from_db()
    assert row.state == "pending"
    assert watchdog_status().current is None
