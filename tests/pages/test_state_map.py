"""The map of an upgrade's page: read off the machine's table, with one upgrade on it."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from django.urls import reverse

from updates.admin_views.state_map import back_states, forward_states, map_of
from updates.machine import HAPPY_PATH, State
from updates.models import Upgrade

pytestmark = pytest.mark.database


def positions(upgrade: Upgrade) -> dict[str, str]:
    found = map_of(upgrade)
    return {place.state.value: place.position for place in [*found.forward, *found.back]}


def test_the_way_forward_is_the_one_on_which_every_step_is_done() -> None:
    assert tuple(forward_states()) == HAPPY_PATH


def test_every_state_has_one_place_on_the_map() -> None:
    states = [*forward_states(), *back_states()]
    assert sorted(states) == sorted(State)


def test_a_waiting_upgrade_has_all_of_the_way_forward_ahead(waiting: Upgrade) -> None:
    found = positions(waiting)
    assert found["pending"] == "here"
    assert found["installing"] == "ahead"
    assert found["rolling_back"] == "apart"


def test_a_succeeded_upgrade_has_all_of_it_behind(succeeded: Upgrade) -> None:
    found = positions(succeeded)
    assert {found[state.value] for state in forward_states()} == {"past"}
    assert {found[state.value] for state in back_states()} == {"apart"}


def test_an_upgrade_that_went_back_shows_where_it_left_the_way(rolled_back: Upgrade) -> None:
    found = map_of(rolled_back)
    wrong = [place.state for place in found.forward if place.went_wrong]
    assert wrong == [State.INSTALLING]
    assert positions(rolled_back)["rolling_back"] == "past"
    assert positions(rolled_back)["committing"] == "apart"


def test_the_page_says_where_each_event_would_lead(operator: Client, waiting: Upgrade) -> None:
    Upgrade.objects.filter(pk=waiting.pk).update(state=State.INSTALLING)
    page = reverse("admin:updates_upgrade_change", args=[waiting.pk])
    shown = " ".join(operator.get(page).content.decode().split())
    ways = dict(re.findall(r"<dt>([^<]*)</dt> <dd>([^<]*)</dd> </div>", shown))
    assert ways["When it is done"] == "restarting"
    assert ways["If it fails"] == "rolling back"
    assert ways["If you cancel"] == "rolling back"


def test_past_the_point_of_no_return_a_cancel_is_too_late(waiting: Upgrade) -> None:
    Upgrade.objects.filter(pk=waiting.pk).update(state=State.COMMITTED)
    waiting.refresh_from_db()
    assert {way.event: way.leads_to for way in map_of(waiting).ways}["If you cancel"] == (
        "too late for that"
    )
