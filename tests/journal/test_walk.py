"""Several arrows at once: all of them or none, by whoever saw the row last."""

from __future__ import annotations

import pytest

from tests.journal.rows import new_device, new_upgrade
from updates.errors import LeaseLost, NoArrow, TargetBusy
from updates.journal import walk
from updates.machine import Event, Outcome, State
from updates.models import Upgrade, UpgradeEvent
from updates.reported import Leg
from updates.runner import Failure

pytestmark = pytest.mark.database

BEGIN = Leg(Event.DONE)
FAIL = Leg(Event.FAILED, Failure(code="UPD-310", sentence="It said so."))


def _stored(upgrade: Upgrade) -> dict[str, object]:
    return dict(Upgrade.objects.filter(pk=upgrade.pk).values().get())


def test_the_row_in_hand_is_as_the_one_that_is_stored() -> None:
    upgrade = new_upgrade()
    walk(upgrade, [BEGIN, FAIL, BEGIN], notes=["It was asked."], facts={"a": 1})
    stored = _stored(upgrade)
    assert {name: getattr(upgrade, name) for name in stored} == stored
    assert (upgrade.state, upgrade.outcome) == (State.FINISHED, Outcome.FAILED)
    assert (upgrade.error, upgrade.error_state) == ("It said so.", State.CHECKING)
    events = list(upgrade.events.order_by("seq").values_list("seq", "kind", "to_state"))
    assert events == [
        (1, "arrow", "pending"),
        (2, "note", ""),
        (3, "arrow", "checking"),
        (4, "arrow", "cleaning"),
        (5, "arrow", "finished"),
    ]
    assert (upgrade.last_seq, upgrade.state_seq) == (5, 5)


def test_where_one_arrow_is_missing_none_is_taken() -> None:
    upgrade = new_upgrade()
    before = _stored(upgrade)
    with pytest.raises(NoArrow):
        walk(upgrade, [BEGIN, BEGIN, Leg(Event.ALREADY_THERE)], notes=["never"])
    assert _stored(upgrade) == before
    assert UpgradeEvent.objects.filter(upgrade=upgrade).count() == 1


def test_who_has_an_older_row_in_hand_writes_nothing() -> None:
    upgrade = new_upgrade()
    old = Upgrade.objects.get(pk=upgrade.pk)
    walk(upgrade, [BEGIN])
    before = _stored(upgrade)
    with pytest.raises(LeaseLost):
        walk(old, [BEGIN])
    walk(upgrade, notes=["something else"])
    with pytest.raises(LeaseLost):
        walk(old, notes=["too late"])
    assert _stored(upgrade) | {"last_seq": 2} == before


def test_on_a_device_one_upgrade_at_a_time_is_under_way() -> None:
    device = new_device()
    first, second = new_upgrade(device), new_upgrade(device)
    walk(first, [BEGIN])
    with pytest.raises(TargetBusy, match="busy with another upgrade"):
        walk(second, [BEGIN])
    assert _stored(second)["state"] == State.PENDING
