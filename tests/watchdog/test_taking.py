"""How a trigger becomes an upgrade: once, seen by the portal first, and whatever it holds the watchdog lives on."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from uuid import uuid4

import pytest

from tests.containers.backup_bench import plan_for
from tests.environment.waiting import wait_until
from tests.watchdog.lonely import Lonely, own_folder
from tests.watchdog.records import held, new_record, stored
from updates.machine import Event, Outcome, State
from updates.plan import ContainerPlan
from updates.runner import Failure
from updates.watchdog.ending import end_what_was_begun_elsewhere
from updates.watchdog.folder import Folder
from updates.watchdog.kinds import require_kinds
from updates.watchdog.loop import CANCELLED_EARLY
from updates.watchdog.orders import ordered
from updates.watchdog.record import Record, records, write_record
from updates.watchdog.trigger import Inbox

ID = str(uuid4())


@pytest.fixture
def own(tmp_path: Path) -> Folder:
    return own_folder(tmp_path)


def ask(folder: Folder, **said: object) -> None:
    folder.trigger.write_text(json.dumps({"upgradeId": ID, "version": "2.0.0", **said}))


def finished(folder: Folder) -> Record:
    """An upgrade that succeeded, under the id that is asked for."""
    upgrade = new_record(folder).upgrade
    book = held(folder, upgrade)
    while book.state is not State.FINISHED:
        book.take(Event.DONE)
    return stored(folder, upgrade)


def test_what_is_over_stays_as_it_ended_whoever_brings_its_trigger_back(own: Folder) -> None:
    over = finished(own)
    own.cancel(over.upgrade).write_text("somebody")
    ask(own, upgradeId=over.upgrade, sequence=2)
    with Lonely(own).living():
        wait_until(own.refused.exists, seconds=10, what="it is refused")
    assert "was done before" in own.refused.read_text()
    assert stored(own, over.upgrade) == over
    assert not own.taken.exists()


@pytest.mark.parametrize(
    "plan",
    [
        {"installed": "x"},
        {"installed": {"image": "BAD REF", "version": "1"}},
        {"image": 5},
        {"backup": []},
    ],
)
def test_a_plan_that_is_none_can_be_cancelled(own: Folder, plan: dict[str, object]) -> None:
    ask(own, sequence=1, plan=plan)
    own.cancel(ID).write_text("ann")
    with Lonely(own).living():
        wait_until(lambda: _is_over(own), seconds=10, what="it is over")
    record = stored(own, ID)
    assert (record.outcome, record.to_version, record.plan) == ("cancelled", "2.0.0", {})


def _is_over(folder: Folder) -> bool:
    return any(one.is_over for one in records(folder))


class TestSeenFirst:
    """The portal takes what it sees nothing of for never taken: so it sees an upgrade before there is one."""

    def test_what_the_portal_cannot_be_shown_is_not_taken_yet(self, own: Folder) -> None:
        shown = own.as_shown.record(ID)
        (shown / "in the way").mkdir(parents=True)
        ask(own)
        own.cancel(ID).write_text("ann")
        with Lonely(own).living():
            wait_until(own.taken.exists, seconds=10, what="it is taken")
            with pytest.raises(TimeoutError):
                wait_until(own.record(ID).exists, seconds=1, what="its own record")
            assert own.taken.exists()
            (shown / "in the way").rmdir()
            shown.rmdir()
            wait_until(lambda: _is_over(own), seconds=10, what="it is over")
        assert stored(own.as_shown, ID).outcome == "cancelled"

    def test_one_that_was_shown_and_no_more_is_taken_again(self, own: Folder) -> None:
        """The watchdog has died in between: what is over by then is what the portal says of it."""
        ask(own)
        trigger = Inbox(own).take()
        assert trigger is not None
        write_record(own.as_shown, ordered(trigger, plan={}))
        end_what_was_begun_elsewhere(own)
        assert (stored(own.as_shown, ID).state, own.record(ID).exists()) == ("pending", False)
        own.cancel(ID).write_text("ann")
        with Lonely(own).living():
            wait_until(lambda: _is_over(own), seconds=10, what="it is over")
        assert stored(own, ID).error == CANCELLED_EARLY

    def test_what_the_portal_has_ended_then_is_not_taken_again(self, own: Folder) -> None:
        ask(own)
        trigger = Inbox(own).take()
        assert trigger is not None
        write_record(own.as_shown, ordered(trigger, plan={}))
        book = held(own.as_shown, ID)
        book.break_off(Failure("UPD-303", "Enough."), outcome=Outcome.CANCELLED)
        with Lonely(own).living():
            wait_until(own.refused.exists, seconds=10, what="it is refused")
        assert (stored(own, ID).error, own.taken.exists()) == ("Enough.", False)


class TestGarbage:
    """Whatever lies in DATA_DIR, the watchdog lives on."""

    @pytest.mark.parametrize(
        "change",
        [
            {"fence": "x"}, {"facts": []}, {"events": [{"seq": 1, "at": "", "kind": "note", "data": 5}]},
            {"plan": None}, {"outcome": 5}, {"progress": True}, {"error": "\ud800"},
            {"upgrade": ID.upper()}, {"upgrade": str(uuid4())},
        ],
    )  # fmt: skip
    def test_a_record_that_is_none_is_passed_over(
        self, own: Folder, change: dict[str, object]
    ) -> None:
        said = asdict(replace(new_record(own.as_shown), upgrade=ID)) | change
        own.as_shown.record(ID).write_text(json.dumps(said))
        with Lonely(own).living():
            ask(own, version="no tag")
            wait_until(own.refused.exists, seconds=10, what="it goes on")
        assert not own.record(ID).exists()

    def test_a_reason_that_nobody_can_write_is_refused(self, own: Folder) -> None:
        ask(own, reason="\ud800")
        own.cancel(ID).write_text("ann")
        with Lonely(own).living():
            wait_until(own.refused.exists, seconds=10, what="it is refused")
        assert "nobody can write" in own.refused.read_text()

    @pytest.mark.parametrize(
        "change",
        [
            {"instance": 5}, {"probes": ["x"]}, {"kept_of": 5}, {"containers": [1]}, {"installed": {"image": 1}},
            {"stop_seconds": "x"}, {"data_from": None},
        ],
    )  # fmt: skip
    def test_a_plan_of_other_kinds_is_none(self, change: dict[str, object]) -> None:
        plan = plan_for(Path("/work"), Path("/data/backups"), volumes=["data"])
        require_kinds(ContainerPlan.from_json(plan.as_json()), ContainerPlan)
        with pytest.raises(TypeError, match=r"is none of|of the kind"):
            require_kinds(ContainerPlan.from_json(plan.as_json() | change), ContainerPlan)
