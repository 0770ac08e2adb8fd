"""What every journal promises, of the one in the database and of the watchdog's in a file alike."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest

from tests.journal import rows
from tests.watchdog import records
from updates import lease
from updates.errors import LeaseLost, NoArrow
from updates.journal import DatabaseJournal, request_cancel
from updates.machine import HAPPY_PATH, REPEAT_LIMIT, Event, State
from updates.models import Upgrade
from updates.output import MASK
from updates.runner import Failure, HandOver
from updates.watchdog.durable import write_whole
from updates.watchdog.journal import FileJournal, claim

pytestmark = pytest.mark.database

FAILURE = Failure(code="UPD-200", sentence="It fell over.", call="pull", output="hunter22 said no")
SECRET = "hunter22"

Book = DatabaseJournal | FileJournal


class Desk(Protocol):
    """One upgrade and its journals, wherever these write."""

    def held(self, *, wants_leave: bool = False) -> Book:
        """The journal of the next holder."""
        ...

    def ask_cancel(self) -> None: ...

    def row(self) -> dict[str, Any]:
        """What is stored of the upgrade."""
        ...

    def events(self) -> list[dict[str, Any]]: ...


FIELDS = ("state", "state_seq", "outcome", "unchanged", "progress", "error", "error_code",
          "error_state", "warning", "facts", "repeats")  # fmt: skip
TOLD = ("seq", "kind", "from_state", "event", "to_state", "call", "text", "data")


class DatabaseDesk:
    def __init__(self) -> None:
        self._upgrade = rows.new_upgrade()

    def held(self, *, wants_leave: bool = False) -> DatabaseJournal:
        rows.let_lapse(self._upgrade)
        fence = lease.claim(str(self._upgrade.pk), worker="w")
        assert fence is not None
        return DatabaseJournal(
            str(self._upgrade.pk), fence=fence, secrets=(SECRET,), wants_leave=lambda: wants_leave
        )

    def ask_cancel(self) -> None:
        request_cancel(str(self._upgrade.pk), by="bob")

    def row(self) -> dict[str, Any]:
        return dict(Upgrade.objects.filter(pk=self._upgrade.pk).values(*FIELDS).get())

    def events(self) -> list[dict[str, Any]]:
        return list(self._upgrade.events.order_by("seq").values(*TOLD))


class FileDesk:
    def __init__(self, place: Path) -> None:
        self.folder = records.new_folder(place)
        self.upgrade = records.new_record(self.folder).upgrade

    def held(self, *, wants_leave: bool = False) -> FileJournal:
        return FileJournal(
            self.folder,
            self.upgrade,
            fence=claim(self.folder, self.upgrade, last_seen=None),
            limits=records.LIMITS,
            secrets=lambda: (SECRET,),
            wants_leave=lambda: wants_leave,
        )

    def ask_cancel(self) -> None:
        write_whole(self.folder.cancel(self.upgrade), b"bob\n")

    def row(self) -> dict[str, Any]:
        record = records.stored(self.folder, self.upgrade)
        found = {name: getattr(record, name) for name in FIELDS}
        return found | {"outcome": record.outcome or None}

    def events(self) -> list[dict[str, Any]]:
        found = records.stored(self.folder, self.upgrade).events
        return [{name: getattr(one, name) for name in TOLD} for one in found]


@pytest.fixture(params=["database", "file"])
def desk(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Desk]:
    monkeypatch.setattr("updates.journal.database.LOOK_SECONDS", 0)
    monkeypatch.setattr("updates.watchdog.journal.LOOK_SECONDS", 0)
    if request.param == "file":
        yield FileDesk(tmp_path)
    else:
        request.getfixturevalue("db")
        yield DatabaseDesk()


def brought_to(state: State, book: Book) -> Book:
    for _ in range(HAPPY_PATH.index(state)):
        book.take(Event.DONE)
    assert book.state is state
    return book


def test_a_walk_is_told_arrow_by_arrow_and_numbered_without_a_hole(desk: Desk) -> None:
    book = brought_to(State.FINISHED, desk.held())

    told = desk.events()
    assert [one["seq"] for one in told] == [*range(1, len(HAPPY_PATH) + 1)]
    assert [one["to_state"] for one in told] == list(HAPPY_PATH)
    row = desk.row()
    assert (row["state"], row["outcome"], row["progress"]) == ("finished", "succeeded", 100)
    assert row["state_seq"] == book.state_seq == len(HAPPY_PATH)


def test_an_event_without_an_arrow_writes_nothing(desk: Desk) -> None:
    book = desk.held()
    before = desk.row(), desk.events()

    with pytest.raises(NoArrow):
        book.take(Event.ALREADY_THERE)

    assert (desk.row(), desk.events()) == before


def test_the_first_failure_is_the_reason_and_secrets_are_not_in_it(desk: Desk) -> None:
    book = brought_to(State.INSTALLING, desk.held())
    book.take(Event.FAILED, failure=FAILURE)
    book.take(Event.FAILED, failure=Failure(code="UPD-999", sentence="And then that."))

    row = desk.row()
    assert (row["error"], row["error_code"], row["error_state"]) == (
        "It fell over.", "UPD-200", "installing")  # fmt: skip
    assert row["outcome"] == "broken"
    assert book.is_broken
    first = next(one for one in desk.events() if one["event"] == "failed")
    assert first["data"] == {"code": "UPD-200", "output": f"{MASK} said no"}


def test_a_failure_after_the_commit_is_a_warning(desk: Desk) -> None:
    book = brought_to(State.CLEANING, desk.held())
    book.take(Event.FAILED, failure=FAILURE)

    row = desk.row()
    assert (row["outcome"], row["warning"], row["error"]) == ("succeeded", "It fell over.", "")


def test_what_cannot_be_rolled_back_says_so(desk: Desk) -> None:
    book = brought_to(State.INSTALLING, desk.held())
    book.take(Event.FAILED)
    book.take(Event.NOTHING_TO_DO)

    assert desk.row()["outcome"] == "broken"
    assert desk.events()[-1]["text"] == "What it installs cannot be rolled back."


def test_a_cancel_is_heard_by_the_next_tick(desk: Desk) -> None:
    book = brought_to(State.CHECKING, desk.held())
    assert not book.tick()
    desk.ask_cancel()

    assert book.tick()
    assert book.tick()
    assert [one["text"] for one in desk.events()].count("bob asked for a cancel.") == 1


def test_a_step_that_went_well_gives_way_to_a_cancel(desk: Desk) -> None:
    book = brought_to(State.DOWNLOADING, desk.held())
    desk.ask_cancel()

    assert book.take(Event.DONE) is State.CLEANING
    assert desk.row()["outcome"] == "cancelled"
    assert desk.events()[-1]["event"] == "cancel"


def test_a_state_that_was_begun_too_often_is_given_up(desk: Desk) -> None:
    book = brought_to(State.CHECKING, desk.held())
    for _ in range(REPEAT_LIMIT):
        assert book.take(Event.INTERRUPTED) is State.CHECKING

    assert book.take(Event.INTERRUPTED) is State.FINISHED
    row = desk.row()
    assert (row["outcome"], row["error_code"]) == ("failed", "UPD-301")


def test_taking_over_counts_as_a_repeat_so_it_ends_somewhere(desk: Desk) -> None:
    brought_to(State.INSTALLING, desk.held())
    for number in range(1, REPEAT_LIMIT + 1):
        desk.held().took_over(worker="next")
        assert desk.row()["repeats"] == number

    desk.held().took_over(worker="last")
    row = desk.row()
    assert (row["state"], row["outcome"]) == ("finished", "broken")


def test_another_visit_of_a_state_has_another_number(desk: Desk) -> None:
    book = brought_to(State.CHECKING, desk.held())
    first = book.state_seq
    assert desk.held().state_seq == first
    resumed = desk.held()
    resumed.take(Event.INTERRUPTED)

    assert resumed.state_seq > first


def test_output_goes_on_where_the_last_holder_had_stored_it(desk: Desk) -> None:
    book = brought_to(State.DOWNLOADING, desk.held())
    book.output("pull", b"half a ")
    book.note("flush")
    resumed = desk.held()

    assert resumed.output_stored("pull") == len(b"half a ")
    resumed.output("pull", b"line with hunter22")
    resumed.take(Event.DONE)
    said = "".join(one["text"] for one in desk.events() if one["kind"] == "output")
    assert said == f"half a line with {MASK}"


def test_what_was_remembered_outlives_its_holder(desk: Desk) -> None:
    desk.held().remember("found", {"id": "sha256:1"})

    book = desk.held()
    assert book.recall("found") == {"id": "sha256:1"}
    assert book.recall("nothing") is None
    assert desk.row()["facts"] == {"found": {"id": "sha256:1"}}


def test_progress_never_goes_back(desk: Desk) -> None:
    book = brought_to(State.DOWNLOADING, desk.held())
    book.progress(0.5)
    assert desk.row()["progress"] == 50
    book.progress(0.25)
    assert desk.row()["progress"] == 50

    book.take(Event.FAILED, failure=FAILURE)
    assert desk.row()["progress"] == 97


def test_who_was_replaced_can_write_nothing(desk: Desk) -> None:
    lost = brought_to(State.DOWNLOADING, desk.held())
    desk.held()
    before = desk.row(), desk.events()

    with pytest.raises(LeaseLost):
        lost.take(Event.DONE)
    with pytest.raises(LeaseLost):
        lost.note("late")
    with pytest.raises(LeaseLost):
        lost.remember("late", True)
    with pytest.raises(LeaseLost):
        lost.progress(0.9)
    with pytest.raises(LeaseLost):
        lost.output("pull", b"x" * 5000)
    with pytest.raises(LeaseLost):
        lost.break_off(FAILURE)
    with pytest.raises(LeaseLost):
        lost.tick()
    assert (desk.row(), desk.events()) == before


def test_who_is_to_leave_hears_it_between_steps(desk: Desk) -> None:
    with pytest.raises(HandOver):
        desk.held(wants_leave=True).tick()
