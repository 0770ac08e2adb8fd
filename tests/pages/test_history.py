"""The history: finding, paging, taking it away as a file."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import timedelta
from typing import Protocol
from uuid import UUID, uuid4

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from devices.models import Device, DeviceGroup
from portal.core.actors import PORTAL
from portal.core.keyset import COUNTED, Cursor, all_by_name, all_of, counted, slice_of
from tests.journal.rows import finished, new_artifact, new_device, new_upgrade
from tests.pages.rows import rows
from updates import upgrade_filter
from updates.models import Upgrade
from updates.services.planning import plan_artifact
from updates.services.reports import COLUMNS
from updates.services.upgrades import build

pytestmark = pytest.mark.database

HISTORY = "/updates/upgrade/"
BOXES = ("box-red-1", "box-red-2", "box-red-3", "box-blue", "kiosk")


class Answer(Protocol):
    @property
    def content(self) -> bytes: ...


def shown(answer: Answer) -> list[UUID]:
    """The upgrades on a page of the history, from top to bottom."""
    return [UUID(found) for found in re.findall(r'data-upgrade="([^"]+)"', answer.content.decode())]


def many(count: int) -> list[Upgrade]:
    """Upgrades of the last hours, newest first; in each hour are three that were ordered in the same instant."""
    device, artifact = new_device(), new_artifact()
    plan = plan_artifact(artifact=artifact, device=device, update_module=None)
    now = timezone.now()
    made = []
    for number in range(count):
        upgrade = build(
            plan, artifact=artifact, device=device, actor=PORTAL, reason=f"No. {number}."
        )
        upgrade.id = uuid4()
        upgrade.created_at = now - timedelta(hours=number // 3)
        made.append(upgrade)
    Upgrade.objects.bulk_create(made)
    return sorted(made, key=lambda row: (row.created_at, row.pk), reverse=True)


@pytest.fixture
def old() -> Upgrade:
    """An upgrade of half a year ago."""
    upgrade = finished(new_upgrade(new_device("box-1"), new_artifact("release-1")))
    Upgrade.objects.update(created_at=timezone.now() - timedelta(days=180))
    upgrade.refresh_from_db()
    return upgrade


@pytest.mark.parametrize(
    ("finds", "finds_not"),
    [
        ("q=release-1", "q=release-7"),
        ("outcome=succeeded", "outcome=cancelled"),
        ("outcome=succeeded&outcome=failed", "outcome=failed&outcome=broken"),
        ("state=finished", "state=pending"),
        ("active=false", "active=true"),
        ("kind=artifact", "kind="),
        ("device=box-1", "device=box"),
        ("requested_by=portal", "requested_by=alice"),
        ("since=2020-01-01&until=2999-12-31", "until=2020-01-01"),
    ],
)
def test_the_history_is_searched_and_filtered(
    finds: str, finds_not: str, operator: Client, old: Upgrade
) -> None:
    assert shown(operator.get(f"{HISTORY}?days=all&{finds}")) == [old.pk]
    narrowed = f"{HISTORY}?days=all&{finds_not}"
    assert shown(operator.get(narrowed)) == ([old.pk] if finds_not == "kind=" else [])


def test_the_history_of_an_update_module_is_that_of_its_payload_type(
    operator: Client, old: Upgrade
) -> None:
    assert old.artifact is not None
    own = operator.get(f"{HISTORY}?days=all&payload_type={old.artifact.payload_type}")
    assert old.pk in shown(own)
    assert not shown(operator.get(f"{HISTORY}?days=all&payload_type=another"))


def test_the_history_of_a_group_is_that_of_its_devices(operator: Client, old: Upgrade) -> None:
    new_upgrade(new_device("other-1"))
    group = DeviceGroup.objects.create(name="boxes", kind="dynamic", filter={"q": "box-"})
    assert shown(operator.get(f"{HISTORY}?days=all&group={group.pk}")) == [old.pk]


def test_the_last_day_that_is_asked_for_is_part_of_the_answer(
    operator: Client, old: Upgrade
) -> None:
    day = f"{timezone.localtime(old.created_at):%Y-%m-%d}"
    assert shown(operator.get(f"{HISTORY}?since={day}&until={day}")) == [old.pk]


def test_only_a_month_is_shown_unless_somebody_asks_for_more(
    operator: Client, old: Upgrade
) -> None:
    new = new_upgrade(new_device("box-2"))
    answer = operator.get(HISTORY)
    assert shown(answer) == [new.pk]
    switch = re.search(r'href="\?([^"]*days=all[^"]*)"', answer.content.decode())
    assert switch
    assert shown(operator.get(f"{HISTORY}?{switch[1]}")) == [new.pk, old.pk]


def test_when_it_ended_is_asked_for_whenever_it_was_ordered(operator: Client, old: Upgrade) -> None:
    answer = operator.get(f"{HISTORY}?ended_since=2020-01-01")
    assert shown(answer) == [old.pk]
    assert "ended since 2020-01-01" in answer.content.decode()
    assert shown(operator.get(f"{HISTORY}?ended_since=2999-01-01")) == []


@pytest.mark.parametrize("word", ["since", "until", "ended_since"])
@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
def test_the_first_and_the_last_day_of_time_are_days(
    word: str, day: str, operator: Client, old: Upgrade
) -> None:
    assert operator.get(f"{HISTORY}?{word}={day}").status_code == 200


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("active=yes", "The history cannot be asked for that: active: Say true or false."),
        ("nonsense=1", "The history knows no nonsense."),
        ("outcome=splendid", "The history cannot be asked for that: outcome"),
        ("artifact=release-1", "The history cannot be asked for that: artifact"),
        ("days=soon", "The history goes back 1, 7, 30, 90, 365 or all days."),
    ],
)
def test_words_that_make_no_sense_are_refused_with_a_sentence(
    words: str, says: str, operator: Client, old: Upgrade
) -> None:
    answer = operator.get(f"{HISTORY}?{words}")
    assert answer.status_code == 422
    assert says in answer.content.decode()
    assert operator.get(f"{HISTORY}history.csv?{words}").status_code == 404


def test_the_pages_show_each_upgrade_once_there_and_back(operator: Client) -> None:
    all_of_them = [row.pk for row in many(120)]
    there, address = [], HISTORY
    seen = []
    while address:
        answer = operator.get(address)
        seen.append(address)
        there.append(shown(answer))
        address = _link(answer, "next")
    assert [len(page) for page in there] == [50, 50, 20]
    assert [pk for page in there for pk in page] == all_of_them

    back = shown(operator.get(_link(operator.get(seen[-1]), "prev")))
    assert back == there[-2]
    assert shown(operator.get(_link(operator.get(seen[1]), "prev"))) == there[0]


def test_upgrades_that_come_meanwhile_move_no_page(operator: Client) -> None:
    all_of_them = [row.pk for row in many(60)]
    second = _link(operator.get(HISTORY), "next")
    new_upgrade()
    assert shown(operator.get(second)) == all_of_them[50:]


def test_a_place_that_names_no_place_is_the_beginning(operator: Client, old: Upgrade) -> None:
    assert shown(operator.get(f"{HISTORY}?days=all&older=nowhere&newer=%FF")) == [old.pk]


def test_a_big_history_is_not_counted_to_its_end() -> None:
    device, artifact = new_device(), new_artifact()
    plan = plan_artifact(artifact=artifact, device=device, update_module=None)
    one = build(plan, artifact=artifact, device=device, actor=PORTAL, reason="Many")
    fields = {field.attname: getattr(one, field.attname) for field in Upgrade._meta.fields}
    del fields["id"]
    Upgrade.objects.bulk_create([Upgrade(**fields) for _ in range(COUNTED)], batch_size=2000)
    assert counted(Upgrade.objects.all()) == "10,000"
    Upgrade.objects.bulk_create([Upgrade(**fields)])
    assert counted(Upgrade.objects.all()) == "more than 10,000"
    assert len(slice_of(Upgrade.objects.all(), time="created_at", older="", newer="").rows) == 50


def test_what_words_find_is_not_counted_beyond_a_page(operator: Client) -> None:
    many(60)
    assert (
        "<strong data-count>more than 50</strong>"
        in operator.get(f"{HISTORY}?q=No.").content.decode()
    )
    one = operator.get(f"{HISTORY}?q=No.+59.").content.decode()
    assert "<strong data-count>1</strong>" in one, "with its dot: a device may be called device-59"
    assert "<strong data-count>60</strong>" in operator.get(HISTORY).content.decode()


@pytest.mark.parametrize("looked_at", [1, 3, 100])
def test_words_in_few_names_and_in_many_find_the_same(
    looked_at: int, operator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upgrade_filter, "FEW", 2)
    monkeypatch.setattr(upgrade_filter, "MOST", looked_at)
    made = {name: new_upgrade(new_device(name)).pk for name in BOXES}
    group = DeviceGroup.objects.create(name="boxes", kind="dynamic", filter={"q": "box-"})
    for words, names in {
        "box": {"box-red-1", "box-red-2", "box-red-3", "box-blue"},
        "red": {"box-red-1", "box-red-2", "box-red-3"},
        "box+blue": {"box-blue"},
        "red+blue": set(),
        "red+3": {"box-red-3"},
        "RED+nothing": set(),
    }.items():
        found = shown(operator.get(f"{HISTORY}?q={words}"))
        assert set(found) == {made[name] for name in names}, words
    assert len(shown(operator.get(f"{HISTORY}?group={group.pk}"))) == 4


def test_a_cursor_survives_being_an_address() -> None:
    cursor = Cursor(timezone.now(), UUID(int=7))
    assert Cursor.read(str(cursor)) == cursor


def test_the_filtered_list_is_taken_away_as_csv_that_no_spreadsheet_runs(
    operator: Client, old: Upgrade
) -> None:
    evil = new_upgrade(new_device("box-2"))
    Upgrade.objects.filter(pk=evil.pk).update(reason='=cmd|"/c calc"!A1', from_version="-1+2")
    before = rows()
    answer = operator.get(f"{HISTORY}history.csv?state=pending")
    content = answer.getvalue().decode()
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert "attachment" in answer.headers["Content-Disposition"]
    (row,) = csv.DictReader(io.StringIO(content, newline=""))
    assert tuple(row) == COLUMNS
    assert row["id"] == str(evil.pk)
    assert row["reason"] == '\'=cmd|"/c calc"!A1'
    assert row["from_version"] == "'-1+2"
    assert rows() == before


def test_the_filtered_list_is_taken_away_as_json_lines(operator: Client, old: Upgrade) -> None:
    new_upgrade(new_device("box-2"))
    answer = operator.get(f"{HISTORY}history.jsonl?days=all&device=box-1")
    (line,) = answer.getvalue().decode().splitlines()
    row = json.loads(line)
    assert tuple(row) == COLUMNS
    assert (row["device"], row["outcome"]) == ("box-1", "succeeded")
    assert row["created_at"] == old.created_at.isoformat().replace("+00:00", "Z")


def test_all_rows_come_once_in_their_order_however_many_are_fetched_at_a_time() -> None:
    made = [row.pk for row in many(10)]
    everything = Upgrade.objects.all()
    for size in (1, 3, 5, 10, 11):
        assert [row.pk for row in all_of(everything, time="created_at", size=size)] == made
    names = [f"box-{number}" for number in range(5)]
    for name in reversed(names):
        new_device(name)
    devices = Device.objects.filter(name__in=names)
    for size in (1, 2, 5, 6):
        assert [row.name for row in all_by_name(devices, name="name", size=size)] == names


def test_an_export_fetches_what_it_writes_and_no_more(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    many(10)
    with django_assert_num_queries(2):
        wanted = all_of(Upgrade.objects.all(), time="created_at", size=4)
        assert len([next(wanted) for _ in range(5)]) == 5


def test_an_export_streams(operator: Client) -> None:
    many(30)
    answer = operator.get(f"{HISTORY}history.csv")
    assert answer.streaming
    assert len(answer.getvalue().splitlines()) == 31


def test_the_record_does_not_say_how_it_will_end_before_it_has_ended(operator: Client) -> None:
    upgrade = new_upgrade()
    Upgrade.objects.filter(pk=upgrade.pk).update(outcome="failed")
    row = json.loads(operator.get(f"{HISTORY}history.jsonl").getvalue())
    assert (row["state"], row["outcome"]) == ("pending", "")


def test_whoever_may_not_see_upgrades_gets_no_file_either(stranger: Client, viewer: Client) -> None:
    page = reverse("admin:updates_upgrade_export", args=["csv"])
    assert stranger.get(page).status_code == 403
    assert viewer.get(page).status_code == 200
    assert viewer.post(page).status_code == 405


def _link(answer: Answer, rel: str) -> str:
    found = re.search(rf'href="\?([^"]*)" rel="{rel}"', answer.content.decode())
    return f"{HISTORY}?{found[1].replace('&amp;', '&')}" if found else ""
