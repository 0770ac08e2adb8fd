"""What the watchdog carries out lies where nobody else can write: DATA_DIR alone gets somebody a version, and no more."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from devices.drivers.docker_engine import DockerEngine
from devices.drivers.engine_ways import UnixWay
from tests.environment.waiting import wait_until
from tests.watchdog.records import held, new_folder, new_record, stored
from tests.watchdog.stage import SET, WEB, PortalStage
from updates.errors import NotCompatible
from updates.machine import Event, State
from updates.plan import ContainerPlan, DumpPlan
from updates.runner import Failure
from updates.watchdog.admission import Admission
from updates.watchdog.backup_order import BackupOrder, read_backup_order
from updates.watchdog.dumps import as_known, postgres_dump
from updates.watchdog.ending import ELSEWHERE, end_as_shown, end_what_was_begun_elsewhere
from updates.watchdog.environment import Environment
from updates.watchdog.folder import Folder
from updates.watchdog.journal import FileJournal, claim
from updates.watchdog.limits import STATE_LIMIT_SECONDS
from updates.watchdog.record import Record, read_record, show_records, write_record

SPOILT = ["sh", "-c", "echo got in >/data/got-in"]


@pytest.fixture
def own(tmp_path: Path) -> Folder:
    """Where a watchdog has a folder of its own."""
    data, place = tmp_path / "data", tmp_path / "own"
    data.mkdir()
    place.mkdir()
    folder = Folder(data, own=place)
    folder.make()
    return folder


class TestRecords:
    def test_the_portal_sees_what_the_watchdog_writes_down(self, own: Folder) -> None:
        upgrade = new_record(own).upgrade
        held(own, upgrade).take(Event.DONE)

        assert stored(own.as_shown, upgrade) == stored(own, upgrade)
        assert stored(own, upgrade).state == "checking"

    def test_what_the_portal_cannot_be_shown_is_done_and_shown_later(self, own: Folder) -> None:
        upgrade = new_record(own).upgrade
        shown = own.as_shown.record(upgrade)
        shown.unlink()
        shown.mkdir()
        held(own, upgrade).take(Event.DONE)
        assert stored(own, upgrade).state == "checking"

        shown.rmdir()
        show_records(own)
        assert stored(own.as_shown, upgrade).state == "checking"

    def test_what_somebody_else_writes_there_is_not_gone_by(self, own: Folder) -> None:
        upgrade = new_record(own).upgrade
        forged = replace(stored(own, upgrade), plan={"containers": ["another"]})
        write_record(own.as_shown, forged)

        show_records(own)
        assert stored(own, upgrade).plan == {}
        assert stored(own.as_shown, upgrade).plan == {}

    def test_what_the_portal_has_ended_is_over(self, own: Folder) -> None:
        upgrade = new_record(own).upgrade
        book = held(own, upgrade)
        while book.state is not State.INSTALLING:
            book.take(Event.DONE)
        end_as_shown(own)
        assert stored(own, upgrade).state == "installing"
        write_record(own.as_shown, replace(stored(own, upgrade), state="finished", error="Enough."))

        end_as_shown(own)
        record = stored(own, upgrade)
        assert (record.state, record.outcome, record.error) == ("finished", "broken", "Enough.")


class TestTheWholeLimit:
    def test_it_goes_no_further_after_it_but_back(self, own: Folder) -> None:
        upgrade = new_record(own).upgrade
        fence = claim(own, upgrade, last_seen=None)
        book = FileJournal(own, upgrade, fence=fence, limits=STATE_LIMIT_SECONDS, whole_seconds=60)
        for state in (State.CHECKING, State.BACKING_UP, State.DOWNLOADING, State.INSTALLING):
            book.take(Event.DONE)
            assert book.state is state
            assert book.seconds_left() <= 60
        book.take(Event.FAILED, failure=Failure("UPD-200", "No."))
        assert (book.state, book.seconds_left() > 600) == (State.ROLLING_BACK, True)


class TestFromBefore:
    """Records that lie in DATA_DIR alone, as those of an older version do."""

    def test_what_was_over_is_known_and_goes_nowhere(self, own: Folder) -> None:
        old = _brought_to(State.FINISHED, own.as_shown)
        end_what_was_begun_elsewhere(own)

        found = stored(own, old.upgrade)
        assert (found.outcome, found.order_seq, found.plan) == ("succeeded", 1, {})

    def test_what_was_about_to_end_is_over_as_it_was_to_be(self, own: Folder) -> None:
        old = _brought_to(State.CLEANING, own.as_shown)
        end_what_was_begun_elsewhere(own)

        assert stored(own, old.upgrade).outcome == "succeeded"
        assert stored(own.as_shown, old.upgrade).is_over

    @pytest.mark.parametrize(
        ("state", "outcome"), [(State.PENDING, "cancelled"), (State.INSTALLING, "broken")]
    )
    def test_nothing_else_is_gone_on_with(self, own: Folder, state: State, outcome: str) -> None:
        old = _brought_to(state, own.as_shown)
        end_what_was_begun_elsewhere(own)

        found = stored(own, old.upgrade)
        assert (found.state, found.outcome, found.error) == ("finished", outcome, ELSEWHERE)


def _brought_to(state: State, folder: Folder) -> Record:
    upgrade = new_record(folder, plan={"containers": ["a"]}).upgrade
    book = held(folder, upgrade)
    while book.state is not state:
        book.take(Event.DONE)
    return stored(folder, upgrade)


class TestEnvironment:
    def _trouble(self, data: Path, own: Path) -> str:
        said = {"DATA_DIR": str(data), "WATCHDOG_DIR": str(own)}
        found = Environment.read({"IMAGE_NAME": "a/b", "CONTAINER_NAME": "portal", **said})
        assert (found.own_dir is None) is bool(found.trouble)
        return found.trouble

    def test_a_folder_that_others_could_write_is_none_of_its_own(self, tmp_path: Path) -> None:
        data, own = tmp_path / "data", tmp_path / "own"
        new_folder(tmp_path)
        data.mkdir()
        assert "no volume of its own" in self._trouble(data, own)
        own.mkdir(mode=0o755)
        assert self._trouble(data, own) == ""
        own.chmod(0o777)
        assert "no volume of its own" in self._trouble(data, own)
        inside = data / "own"
        inside.mkdir(mode=0o700)
        assert "no volume of its own" in self._trouble(data, inside)
        link = tmp_path / "link"
        link.symlink_to(inside)
        assert "no volume of its own" in self._trouble(data, link)


class TestDumps:
    def test_the_commands_are_its_own(self) -> None:
        good = postgres_dump("db", user="fleetwright", name="fleetwright")
        assert as_known(good) == good
        assert as_known(replace(good, restore=SPOILT, file="/etc/passwd")) == good

    @pytest.mark.parametrize(
        "command",
        [
            SPOILT,
            ["pg_dump", "--format=custom", "--username=a", "--file=/x", "b"][:4],
            ["pg_dump", "--format=custom", "--username=a", "--", "host=elsewhere"],
            ["pg_dump", "--format=custom", "--username=a b", "--", "b"],
        ],
    )
    def test_anything_else_is_refused(self, command: list[str]) -> None:
        with pytest.raises(NotCompatible):
            as_known(DumpPlan("db", command, "/tmp/dump", []))


@pytest.mark.docker
class TestTheProgram:
    def test_a_record_in_the_shared_folder_runs_nothing(self, portal_stage: PortalStage) -> None:
        plan = _plan(portal_stage)
        dump = DumpPlan(SET[1], SPOILT, "/tmp/dump", SPOILT)
        backup = replace(plan.backup, dumps=[dump], volumes=["portal_data"])
        forged = new_record(portal_stage.folder)
        forged.plan = replace(plan, upgrade=forged.upgrade, backup=backup).as_json()
        portal_stage.start()
        wait_until(lambda: "Monitoring" in portal_stage.log.read_text(), seconds=60, what="a watch")
        portal_stage.ask("9.9.9")
        wait_until(lambda: not portal_stage.folder.trigger.exists(), seconds=60, what="it is taken")
        another = new_record(portal_stage.folder)
        another.plan = replace(plan, upgrade=another.upgrade, backup=backup).as_json()
        write_record(portal_stage.folder, another)
        time.sleep(8)

        assert not (portal_stage.data / "got-in").exists()
        known = read_record(portal_stage.own.record(another.upgrade))
        assert known is None
        portal_stage.require_old()

    @pytest.mark.parametrize(
        ("change", "says"),
        [
            ({"instance": "../../../data/evil"}, "cannot be what the portal is called"),
            (
                {"kept_of": "../../../data/evil", "mode": "restore"},
                "What the plan goes back on is no upgrade",
            ),
        ],
    )
    def test_a_plan_leads_nowhere_else(
        self, portal_stage: PortalStage, change: dict[str, object], says: str
    ) -> None:
        plan = _plan(portal_stage).as_json() | change
        said = {"version": "2.0.0", "sequence": 1, "plan": plan}
        portal_stage.folder.trigger.write_text(json.dumps(said))
        portal_stage.start()
        record = portal_stage.ended()

        assert record.outcome == "failed"
        assert says in record.error

    def test_its_own_container_is_nobodys(self, portal_stage: PortalStage) -> None:
        variables = {
            "IMAGE_NAME": portal_stage.ledger.repository, "CONTAINER_NAME": WEB,
            "COMPOSE_PROJECT_NAME": "portal", "DATA_DIR": str(portal_stage.data),
            "WATCHDOG_DIR": str(portal_stage.own.own),
        }  # fmt: skip
        plan = replace(
            _plan(portal_stage), image=portal_stage.ledger.reference("2.0.0"), containers=list(SET)
        )
        with DockerEngine(UnixWay(portal_stage.engine.url.removeprefix("unix://"))) as engine:
            own = engine.containers.named(SET[1])
            environment = Environment.read(variables)
            told = Admission(engine, environment, portal_stage.own, own=own)
            with pytest.raises(NotCompatible, match="is the watchdog itself"):
                told.admitted(plan)

    def test_nothing_that_it_runs_lies_in_the_shared_folder(
        self, portal_stage: PortalStage
    ) -> None:
        seen: set[str] = set()
        is_over = threading.Event()

        def look() -> None:
            while not is_over.wait(0.002):
                seen.update(one.name for one in portal_stage.data.rglob("*.sh"))
                seen.update(one.name for one in portal_stage.data.rglob("*.py"))
                seen.update(one.name for one in portal_stage.data.rglob("steps"))

        watch = threading.Thread(target=look)
        watch.start()
        try:
            portal_stage.start()
            BackupOrder(7, "1.0.0").write(portal_stage.folder)
            wait_until(lambda: _is_over(portal_stage), seconds=120, what="a backup")
        finally:
            is_over.set()
            watch.join()
        order = read_backup_order(portal_stage.folder)
        assert order is not None
        assert order.error == ""
        assert seen == set()


def _is_over(stage: PortalStage) -> bool:
    order = read_backup_order(stage.folder)
    return order is not None and order.is_over


def _plan(stage: PortalStage) -> ContainerPlan:
    """As the portal has left word of it."""
    plan = ContainerPlan.from_json(json.loads(stage.folder.template.read_bytes()))
    assert asdict(plan)
    return replace(plan, image=stage.ledger.reference("2.0.0"), containers=[WEB], instance_id=1)
