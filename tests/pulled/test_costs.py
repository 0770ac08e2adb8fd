"""What each question of a device costs the database: fleets ask all day."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.journal.rows import new_artifact
from tests.pulled.pulling import Pulling, later

pytestmark = pytest.mark.database


def cost_of(act: Callable[[], object]) -> list[str]:
    """The statements that it took, without those that only mark where transactions begin and end."""
    with CaptureQueriesContext(connection) as queries:
        act()
    marks = ("SAVEPOINT", "RELEASE", "BEGIN", "COMMIT")
    return [query["sql"] for query in queries if not query["sql"].startswith(marks)]


def writes(statements: list[str]) -> list[str]:
    return [sql for sql in statements if sql.startswith(("INSERT", "UPDATE", "DELETE"))]


def test_an_idle_poll_is_two_looks_and_no_write() -> None:
    device = Pulling()
    for _ in range(3):
        upgrade = device.ordered(new_artifact())
        device.offered()
        device.says(upgrade, "failure")
    asked = cost_of(device.ask)
    assert (len(asked), writes(asked)) == (2, [])


def test_each_word_of_an_update_is_a_handful_of_statements_whatever_it_skips() -> None:
    device = Pulling()
    upgrade = device.ordered()
    costs = {"offer": cost_of(device.ask)}
    for status in ("downloading", "installing", "rebooting"):
        costs[status] = cost_of(partial(device.says, upgrade, status))
    costs["repeat"] = cost_of(lambda: device.says(upgrade, "rebooting"))
    costs["success"] = cost_of(lambda: device.says(upgrade, "success"))
    costs["late"] = cost_of(lambda: device.says(upgrade, "success"))
    assert {word: len(asked) for word, asked in costs.items()} == {
        "offer": 6,
        "downloading": 4,
        "installing": 4,
        "rebooting": 4,
        "repeat": 2,
        "success": 7,
        "late": 2,
    }
    assert {word: len(writes(asked)) for word, asked in costs.items()} == {
        "offer": 2,
        "downloading": 2,
        "installing": 2,
        "rebooting": 2,
        "repeat": 0,
        "success": 4,
        "late": 0,
    }


def test_a_repeat_or_a_map_is_one_write_a_minute_of_the_row_and_one_of_the_device() -> None:
    device = Pulling()
    upgrade = device.ordered(holds=True)
    device.offered(update_control_map=True)
    device.says(upgrade, "pause_before_committing")
    asks = (
        lambda: device.says(upgrade, "pause_before_committing"),
        lambda: device.control_map(upgrade),
    )
    for minutes, ask in enumerate(asks, start=1):
        with later(minutes=minutes, seconds=minutes):
            assert len(writes(cost_of(ask))) == 2
            assert (len(again := cost_of(ask)), writes(again)) == (2, [])


def test_a_success_out_of_nothing_costs_no_more_than_one_after_every_word() -> None:
    device = Pulling()
    upgrade = device.ordered()
    device.offered()
    asked = cost_of(lambda: device.says(upgrade, "success"))
    assert len(asked) == 7


def test_a_log_is_one_insert_however_long_it_is() -> None:
    device = Pulling()
    upgrade = device.ordered()
    device.offered()
    device.says(upgrade, "failure")
    asked = cost_of(lambda: device.send_log(upgrade, b"line\n" * 20_000))
    assert (len(asked), len(writes(asked))) == (4, 2)


def test_a_download_is_one_look() -> None:
    device = Pulling()
    device.ordered()
    uri = device.offered()["artifact"]["source"]["uri"]
    assert len(cost_of(lambda: device.client.head(uri))) == 1
