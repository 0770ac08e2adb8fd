"""Devices that say nothing more of an upgrade that they have in their hands."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from devices.models import Device
from portal.core.actors import PORTAL
from tests.pulled.pulling import Pulling, age, ending, fresh, later, notes_of
from updates.machine import Outcome, State
from updates.models import Upgrade
from updates.queries import PRESSING, Standstill, stuck, stuck_upgrades
from updates.services.pulled import end_silent
from updates.services.recover import recover
from updates.services.upgrades import cancel_upgrade, commit_upgrade

pytestmark = pytest.mark.database


@pytest.mark.parametrize(
    ("status", "outcome"), [("downloading", Outcome.FAILED), ("installing", Outcome.BROKEN)]
)
def test_a_device_that_falls_silent_does_not_run_for_ever(status: str, outcome: Outcome) -> None:
    device = Pulling()
    upgrade = device.ordered()
    device.offered()
    device.says(upgrade, status)
    age(upgrade, hours=24)
    recover()
    assert ending(upgrade)[0] == State(status)
    age(upgrade, hours=26)
    recover()
    assert ending(upgrade) == (State.FINISHED, outcome)
    assert f"while {status}" in fresh(upgrade).error
    assert device.says(upgrade, "success") == 204
    assert notes_of(upgrade) == ["After it was over, the device said: success."]
    assert ending(upgrade) == (State.FINISHED, outcome)
    assert Device.objects.get(pk=device.row.pk).artifact_name == "old"
    device.installed = "new"
    assert device.ask().status_code == 204
    assert Device.objects.get(pk=device.row.pk).artifact_name == "new"


def test_a_device_that_has_not_asked_yet_is_not_silent() -> None:
    upgrade = Pulling().ordered()
    age(upgrade, days=100)
    end_silent()
    assert ending(upgrade) == (State.PENDING, None)
    assert recover() == []


def test_after_an_hour_it_stands_among_what_is_stuck() -> None:
    device = Pulling()
    upgrade = device.ordered()
    device.offered()
    device.says(upgrade, "downloading")
    with later(minutes=59):
        assert stuck() == []
    with later(minutes=61):
        (row,) = stuck()
        assert (row.kind, row.can_recover) == (Standstill.SILENT, False)
        assert row.why == (
            "Its device has been downloading for 1\xa0hour, 1\xa0minute, and has said nothing of it for 1\xa0hour, "
            "1\xa0minute. It last asked 1\xa0hour, 1\xa0minute ago. The portal ends it after 1\xa0day, 1\xa0hour of silence."
        )
        assert list(stuck_upgrades(*PRESSING)) == [upgrade]
        device.says(upgrade, "installing")
        assert stuck() == []


Word = Callable[[Pulling, Upgrade], object]
WORDS: dict[str, Word] = {
    "substate": lambda device, upgrade: device.says(upgrade, "installing", substate="step 2"),
    "repeat": lambda device, upgrade: device.says(upgrade, "installing"),
    "pause": lambda device, upgrade: device.says(upgrade, "pause_before_rebooting"),
    "log": lambda device, upgrade: device.send_log(upgrade, b"so far"),
    "map": lambda device, upgrade: device.control_map(upgrade),
}


@pytest.mark.parametrize("word", WORDS.values(), ids=WORDS)
def test_silence_counts_from_the_last_word_whatever_that_was(word: Word) -> None:
    device = Pulling()
    upgrade = device.ordered()
    device.offered()
    device.says(upgrade, "installing")
    with later(hours=2):
        assert [row.kind for row in stuck()] == [Standstill.SILENT]
        word(device, upgrade)
        assert stuck() == []
    with later(hours=26, minutes=30):
        recover()
        assert ending(upgrade) == (State.INSTALLING, None)
        (row,) = stuck()
        assert row.why.startswith(
            "Its device has been installing for 1\xa0day, 2\xa0hours, and has said nothing of it for 1\xa0day."
        )
        assert "The portal ends it after 1\xa0day, 1\xa0hour of silence." in row.why
    with later(hours=27, minutes=30):
        device.ask()  # its name is what it was, so this is what ends one that is past its download
        assert ending(upgrade) == (State.FINISHED, Outcome.ROLLED_BACK)


def test_one_that_is_ended_says_for_how_long_nothing_was_said_of_it() -> None:
    device = Pulling()
    upgrade = device.ordered()
    device.offered()
    device.says(upgrade, "downloading")
    with later(hours=10):
        device.says(upgrade, "downloading")
    with later(hours=36):
        device.offered()
        recover()
        assert ending(upgrade) == (State.FINISHED, Outcome.FAILED)
        assert fresh(upgrade).error == (
            "The device said nothing of this upgrade for 1\xa0day, 2\xa0hours while downloading; "
            "it was still heard of 0\xa0minutes ago."
        )


def test_one_that_takes_too_long_is_shown_but_goes_on_while_its_device_speaks_of_it() -> None:
    device = Pulling()
    upgrade = device.ordered()
    device.offered()
    device.says(upgrade, "installing")
    with later(hours=26):
        device.says(upgrade, "installing", substate="step 9")
        recover()
        assert ending(upgrade) == (State.INSTALLING, None)
        (row,) = stuck()
        assert row.kind == Standstill.OVERDUE
        assert row.why == (
            "Its device has been installing for 1\xa0day, 2\xa0hours, and has said nothing of it for 0\xa0minutes. "
            "It last asked 0\xa0minutes ago. The portal ends it after 1\xa0day, 1\xa0hour of silence."
        )


def test_what_holds_before_its_commit_is_not_silent() -> None:
    device = Pulling()
    upgrade = device.ordered(holds=True)
    device.offered(update_control_map=True)
    device.says(upgrade, "pause_before_committing")
    age(upgrade, days=10)
    assert [row.kind for row in stuck()] == [Standstill.HELD]


def test_what_should_have_been_ended_says_so() -> None:
    device = Pulling()
    upgrade = device.ordered()
    device.offered()
    age(upgrade, hours=26)
    (row,) = stuck()
    assert row.kind == Standstill.OVERDUE
    assert "It should have been ended after 1\xa0day, 1\xa0hour of silence." in row.why


def _held() -> tuple[Pulling, Upgrade]:
    device = Pulling()
    upgrade = device.ordered(holds=True)
    device.offered(update_control_map=True)
    device.says(upgrade, "pause_before_committing")
    return device, upgrade


def test_what_is_committed_late_has_all_the_time_that_a_commit_may_take() -> None:
    device, upgrade = _held()
    with later(hours=26):
        commit_upgrade(upgrade=fresh(upgrade), actor=PORTAL, reason="looks well")
        assert stuck() == []
        recover()
        assert device.control_map(upgrade).status_code == 200
    with later(hours=50):
        recover()
        assert device.says(upgrade, "installing") == 204
        assert device.says(upgrade, "success") == 204
        assert ending(upgrade) == (State.FINISHED, Outcome.SUCCEEDED)


def test_what_is_committed_and_never_heard_of_again_is_ended() -> None:
    _, upgrade = _held()
    with later(hours=26):
        commit_upgrade(upgrade=fresh(upgrade), actor=PORTAL, reason="looks well")
    with later(hours=52):
        recover()
        assert ending(upgrade) == (State.FINISHED, Outcome.BROKEN)


@pytest.mark.parametrize(
    ("repeats", "state"), [(False, State.VERIFYING), (True, State.ROLLING_BACK)]
)
def test_a_hold_that_was_cancelled_does_not_outlive_its_device(
    *, repeats: bool, state: State
) -> None:
    device, upgrade = _held()
    with later(hours=26):
        cancel_upgrade(upgrade=fresh(upgrade), actor=PORTAL)
        if repeats:
            for _ in range(2):
                assert device.says(upgrade, "pause_before_committing") == 409
        recover()
        assert ending(upgrade)[0] == state
        assert stuck() == []
    with later(hours=28):
        assert [row.kind for row in stuck()] == [Standstill.SILENT]
    with later(hours=52):
        recover()
        assert ending(upgrade) == (State.FINISHED, Outcome.BROKEN)


def test_one_on_its_way_back_waits_for_nobody_s_commit() -> None:
    device, upgrade = _held()
    device.says(upgrade, "failure")
    device.says(upgrade, "pause_before_committing")
    assert not fresh(upgrade).is_held
    with later(hours=2):
        assert [row.kind for row in stuck()] == [Standstill.SILENT]


def test_a_hold_says_when_its_device_was_last_heard_of() -> None:
    device, upgrade = _held()
    with later(days=3):
        device.control_map(upgrade)
    with later(days=5):
        (row,) = stuck()
        assert row.kind == Standstill.HELD
        assert row.why == (
            "It is installed, and waits until somebody commits it, or cancels it. Its device was last heard of 2\xa0days ago."
        )


def test_a_late_truth_is_kept_of_a_device_that_has_said_much() -> None:
    device = Pulling()
    upgrade = device.ordered()
    device.offered()
    for number in range(60):
        device.says(upgrade, "installing", substate=f"step {number}")
    with later(hours=26):
        recover()
        assert ending(upgrade) == (State.FINISHED, Outcome.BROKEN)
        for _ in range(2):
            device.says(upgrade, "success")
        assert notes_of(upgrade)[-1] == "After it was over, the device said: success."
        assert len(notes_of(upgrade)) == 51
