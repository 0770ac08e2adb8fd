"""Which updates of an instance can be taken back, for how long, and who is told why another one cannot."""

from __future__ import annotations

import pytest
from pytest_django import Settings

from portal.core.actors import PORTAL
from tests.journal.rows import brought_to, held
from tests.modules.rows import (
    NEW_DIGEST,
    SOURCE,
    broke,
    new_instance,
    order,
    over,
    succeeded,
    upgrade_of,
)
from updates.errors import NotUndoable
from updates.machine import Outcome, State
from updates.models import Instance, Upgrade
from updates.services.module_recipes import ways_back
from updates.services.upgrades import refuse_not_undoable, roll_back_upgrade

pytestmark = pytest.mark.database


@pytest.fixture(autouse=True)
def three_are_kept(settings: Settings) -> None:
    settings.KEPT_WAYS_BACK = 3


def updated(one: Instance, version: str) -> Upgrade:
    """An update to that version that succeeded, and keeps what was there before, as far as there is room for that."""
    upgrade = ordered(one, version)
    return ended(upgrade, version, is_kept=True)


def ordered(one: Instance, version: str) -> Upgrade:
    order(one, image=f"{SOURCE}:{version}", actor=PORTAL)
    return upgrade_of(one)


def taken_back(upgrade: Upgrade) -> Upgrade:
    """The rollback of it, that succeeded."""
    undo = roll_back_upgrade(upgrade=upgrade, actor=PORTAL, reason="It is slow")
    return ended(undo, "before", is_kept=False)


def ended(upgrade: Upgrade, version: str, *, is_kept: bool) -> Upgrade:
    """As the recipe ends: what is older than what stays, or was taken back, is forgotten on the device."""
    journal = held(upgrade)
    brought_to(State.COMMITTED, journal)
    image = {"image": f"{SOURCE}:{version}", "image_id": f"sha256:{'b' * 64}", "digest": NEW_DIGEST}
    journal.remember("installed", {**image, "version": version, "images": []})
    journal.remember("kept", is_kept)
    brought_to(State.CLEANING, journal)
    others = Upgrade.objects.filter(instance=upgrade.instance, facts__kept=True)
    known = {str(pk) for pk in others.exclude(pk=upgrade.pk).values_list("pk", flat=True)}
    journal.remember("forgotten", sorted(known - ways_back(upgrade)))
    return over(upgrade, journal, Outcome.SUCCEEDED)


def why_not(upgrade: Upgrade) -> str:
    """The reason why it cannot be taken back; empty when it can."""
    upgrade.refresh_from_db()
    try:
        refuse_not_undoable(upgrade)
    except NotUndoable as error:
        return str(error)
    return ""


def test_what_was_taken_back_and_what_took_it_back_use_up_no_place() -> None:
    one = new_instance()
    first, second = updated(one, "1.1.0"), updated(one, "1.2.0")
    for version in ("1.3.0", "1.4.0", "1.5.0"):
        taken_back(updated(one, version))
    last = updated(one, "1.6.0")
    assert ways_back(last) == {str(first.pk), str(second.pk)}
    for upgrade in (last, second, first):
        assert why_not(upgrade) == ""
        taken_back(upgrade)


def test_a_way_back_that_broke_keeps_what_it_has_until_one_succeeds() -> None:
    one = new_instance()
    first = updated(one, "1.1.0")
    again = roll_back_upgrade(upgrade=first, actor=PORTAL, reason="It is slow")
    broke(again)
    assert ways_back(first) == {str(again.pk)}
    taken_back(first)
    assert ways_back(first) == set()


def test_what_is_forgotten_on_its_device_is_not_offered_when_its_turn_comes() -> None:
    one = new_instance()
    first, *others = (updated(one, f"1.{number}.0") for number in range(1, 5))
    for upgrade in reversed(others):
        assert "stands on top of it" in why_not(first)
        taken_back(upgrade)
    assert why_not(first) == "What it kept of the version before is not on the device any more."


def test_no_more_is_forgotten_than_what_is_the_instances_own() -> None:
    one, two = new_instance("mymodule1"), new_instance("mymodule2")
    theirs = updated(two, "1.1.0")
    upgrade = ordered(one, "1.1.0")
    journal = held(upgrade)
    brought_to(State.CLEANING, journal)
    journal.remember("forgotten", [str(theirs.pk)])
    over(upgrade, journal, Outcome.SUCCEEDED)
    assert why_not(theirs) == ""


def test_below_what_is_broken_nothing_is_taken_back_and_a_new_order_leads_out() -> None:
    one = new_instance()
    first = updated(one, "1.1.0")
    broken = broke(ordered(one, "1.2.0"))
    says = f"{broken} came after it, and is broken: order the version that is to be there instead."
    assert why_not(first) == says
    mended = succeeded(ordered(one, "1.1.0"), image=f"{SOURCE}:1.1.0")
    assert not mended.unchanged
    assert why_not(first) == says
    one.refresh_from_db()
    assert one.version == "1.1.0"
