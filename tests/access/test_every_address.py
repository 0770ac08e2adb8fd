"""Who gets what answer at every address that there is. A new address has no row in the table, and fails here until it has."""

from __future__ import annotations

import copy
import hashlib
from pathlib import Path

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.db import connection, reset_queries, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from portal.roles import ROLES
from tests.access.addresses import WHO, Answers, Question, expected, questions, written
from tests.access.asking import status_of, tables_written
from tests.access.conftest import MakePerson, browser_of
from tests.access.world import World, give, make_world
from tests.environment.redis import RedisServer
from tests.pages.rows import stored_files

pytestmark = pytest.mark.database

People = dict[str, User]

NOBODYS = ("anonymous", "viewer")
MENDER = ("api/devices/", "api/management/", "^api/devices/")
"""Addresses that refuse in the words of somebody else's protocol."""
WORDS = (
    "q", "s", "term", "older", "newer", "name", "device", "device_type", "artifact_name", "status", "installed", "attribute",
    "instance", "requested_by", "payload_type", "tag", "verdict", "page", "cursor", "search",
)  # fmt: skip
OWN = {
    "django_session": "whether one is logged in",
    "axes_accessattempt": "that one's own login failed",
    "second_factor_authenticator": "one's own second factor",
    "core_savedfilter": "one's own filters",
    "devices_storedselection": "what one picked in a list, for the next page",
}
"""What even those may change who may change nothing."""


@pytest.fixture
def world(roles: None, redis_server: RedisServer, tmp_path: Path) -> World:
    return make_world(tmp_path)


@pytest.fixture
def people(make_person: MakePerson, world: World) -> People:
    """Somebody of each kind; whoever is anonymous has an account, and is not logged in."""
    found = {who: make_person(*ROLES.keys() & {who}, username=who) for who in WHO}
    for person in found.values():
        give(person, world.device)
    return found


class _Undo(Exception):
    pass


def browser_for(who: str, people: People) -> Client:
    return browser_of(None if who == "anonymous" else people[who])


def ask(person: User, browser: Client, world: World, question: Question) -> tuple[str, set[str]]:
    """The status of the answer, and the tables that it wrote to. Whatever it did is undone."""
    fresh = Client(raise_request_exception=False)
    fresh.cookies = copy.deepcopy(browser.cookies)
    reset_queries()
    try:
        with transaction.atomic(), CaptureQueriesContext(connection) as queries:
            status = status_of(fresh, world, question, by=person)
            raise _Undo
    except _Undo:
        return str(status), tables_written(queries)


def test_every_address_has_its_rows_in_the_table(world: World, people: People) -> None:
    known, there = expected(), questions()
    browsers = {who: browser_for(who, people) for who in WHO}
    missing: Answers = {
        question: {who: ask(people[who], browsers[who], world, question)[0] for who in WHO}
        for question in there
        if question not in known
    }
    if missing:
        pytest.fail(
            f"No row in addresses.txt; measured just now, and to be put there if it is right:\n{written(missing)}"
        )
    assert [question for question in known if question not in there] == []


@pytest.mark.parametrize("who", WHO)
def test_the_table_is_right_for(who: str, world: World, people: People) -> None:
    browser = browser_for(who, people)
    wrong: list[str] = []
    for question, row in expected().items():
        status, tables = ask(people[who], browser, world, question)
        if status != row[who]:
            wrong.append(f"{question}: {status} and not {row[who]}")
        own = tables & set(OWN)
        foreign = (
            tables - own - ({"core_auditevent"} if own else set())
        )  # one's own act is on record
        if who in NOBODYS and foreign:
            wrong.append(f"{question}: writes to {sorted(foreign)}")
    assert wrong == []


def test_no_answer_in_the_table_is_a_failure() -> None:
    assert [question for question, row in expected().items() if "500" in row.values()] == []


def test_looking_at_a_page_changes_no_row_and_no_file(world: World, people: People) -> None:
    administrator = people["administrator"]
    browser = browser_of(administrator)
    before, files = digests(), stored_files()
    writers: list[str] = []
    for question in questions():
        if question.method == "GET":
            reset_queries()
            with CaptureQueriesContext(connection) as queries:
                status_of(browser, world, question, by=administrator)
            if tables := tables_written(queries):
                writers.append(f"/{question.route} writes to {sorted(tables)}")
    assert writers == []
    after = digests()
    assert [table for table in before if before[table] != after[table]] == []
    assert stored_files() == files


def test_a_nul_in_an_address_is_refused_wherever_it_stands(world: World, people: People) -> None:
    """PostgreSQL takes it in no text: who gives it to a cursor or a search would otherwise see a failure."""
    administrator = people["administrator"]
    browser = browser_of(administrator)
    browser.raise_request_exception = False
    wrong: list[str] = []
    for question in questions():
        if question.method != "GET":
            continue
        address = world.address(question.route, by=administrator)
        words = "&".join(f"{word}=a%00b" for word in WORDS)
        status = browser.get(f"{address}{'&' if '?' in address else '?'}{words}").status_code
        own_words = question.route.startswith(MENDER)
        if status != 400 and not (own_words and status < 500):
            wrong.append(f"/{question.route}: {status}")
    assert wrong == []


def digests() -> dict[str, str]:
    """The number of rows of every table and a digest of all that is in them. Of all apps, and none left out."""
    found: dict[str, str] = {}
    for model in apps.get_models(include_auto_created=True):
        if model._meta.managed:
            rows = [repr(row) for row in model._default_manager.order_by("pk").values_list()]
            digest = hashlib.sha256("\n".join(rows).encode()).hexdigest()
            found[model._meta.db_table] = f"{len(rows)} {digest}"
    return found
