"""What the reports of a device that carries its updates out itself mean to the machine. Pure: no Django, no clock.

A report says where the device is by now, so it is walked there arrow by arrow, whatever it forgot to say in between: see
decision 0013. Reports lead forward only; a repeat, or one that says where the device was before, leads nowhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from updates.machine import CANCELLABLE, HAPPY_PATH, Event, State, arrow
from updates.plan import INCONSISTENT
from updates.runner import Failure

REPORTED: Final = "UPD-310"
FORGOTTEN: Final = "UPD-311"
SILENT: Final = "UPD-312"
DECOMMISSIONED: Final = "UPD-313"


class Report(StrEnum):
    """The statuses that Mender's clients send."""

    DOWNLOADING = "downloading"
    PAUSE_BEFORE_INSTALLING = "pause_before_installing"
    INSTALLING = "installing"
    PAUSE_BEFORE_REBOOTING = "pause_before_rebooting"
    REBOOTING = "rebooting"
    PAUSE_BEFORE_COMMITTING = "pause_before_committing"
    SUCCESS = "success"
    FAILURE = "failure"
    ALREADY_INSTALLED = "already-installed"


ARRIVES: Final = {
    Report.DOWNLOADING: State.DOWNLOADING,
    Report.PAUSE_BEFORE_INSTALLING: State.DOWNLOADING,
    Report.INSTALLING: State.INSTALLING,
    Report.PAUSE_BEFORE_REBOOTING: State.INSTALLING,
    Report.REBOOTING: State.RESTARTING,
    Report.PAUSE_BEFORE_COMMITTING: State.VERIFYING,
    Report.SUCCESS: State.FINISHED,
    Report.ALREADY_INSTALLED: State.FINISHED,
}
"""Where a device is that reports this. `installing` comes once more after a reboot: then it verifies."""

ON_ITS_WAY: Final = frozenset(HAPPY_PATH[1:-2])
"""Active, and nothing has gone wrong yet."""
BACK_BY_ITSELF: Final = frozenset(
    {State.INSTALLING, State.RESTARTING, State.VERIFYING, State.COMMITTING, State.ROLLING_BACK}
)
"""A device that asks for its next update in one of these has the one before behind it: what it has installed tells how."""


@dataclass(frozen=True, slots=True)
class Leg:
    """One event on the way, and why if that is a failure."""

    event: Event
    failure: Failure | None = None


def legs_of(state: State, report: Report, *, is_cancel_wanted: bool) -> tuple[Leg, ...]:
    """What is to be taken in `state` on account of the report, in this order; nothing when it says nothing new.

    A cancel ends it where the device is by now, unless the device is through: what was committed is not undone by a word.
    """
    if state not in ON_ITS_WAY:
        return ()
    if report is Report.FAILURE:
        if is_cancel_wanted and state in CANCELLABLE:
            return to_its_end(state, [Leg(Event.CANCEL)])
        says = f"The device reported a failure while {words(state)}."
        return to_its_end(state, [Leg(Event.FAILED, Failure(code=REPORTED, sentence=says))])
    if report is Report.ALREADY_INSTALLED and state is State.CHECKING:
        return to_its_end(state, [Leg(Event.ALREADY_THERE)])
    arrives = _arrives(state, report)
    legs = _forward(state, arrives)
    if is_cancel_wanted and (arrives if legs else state) in CANCELLABLE:
        return to_its_end(state, [*legs, Leg(Event.CANCEL)])
    return tuple(legs)


def legs_at_poll(state: State, installed: str, *, before: str, wanted: str) -> tuple[Leg, ...]:
    """What is to be taken when a device asks for its next update in `state`, and says that `installed` is what it has.

    `before` is what it had when it was offered `wanted`. Nothing when it has just not begun yet: it is offered again.
    """
    if state not in BACK_BY_ITSELF | ON_ITS_WAY:
        return ()
    is_new = installed == wanted != before
    if is_new and state in ON_ITS_WAY:
        return tuple(_forward(state, State.FINISHED))
    is_in_between = installed.endswith(INCONSISTENT) and installed != before
    if state not in BACK_BY_ITSELF and not is_in_between:
        return ()
    legs = _forward(state, State.INSTALLING) if state in ON_ITS_WAY else []
    if state in ON_ITS_WAY:
        says = f"The device asked for its next update without saying how this one ended, and has {installed}."
        legs.append(Leg(Event.FAILED, Failure(code=FORGOTTEN, sentence=says)))
    is_back = installed == before and not installed.endswith(INCONSISTENT)
    says = (
        f"The device says that it has {installed} installed; before, it had {before or 'nothing'}."
    )
    back = (
        [Leg(Event.DONE), Leg(Event.NOTHING_TO_DO), Leg(Event.DONE)]
        if is_back
        else [Leg(Event.FAILED, Failure(code=REPORTED, sentence=says))]
    )
    return to_its_end(state, [*legs, *back])


def words(state: State) -> str:
    """The state as it stands in a sentence."""
    return state.value.replace("_", " ")


def to_its_end(state: State, legs: Iterable[Leg]) -> tuple[Leg, ...]:
    """These, and those that need nothing more of the device. NoArrow when one of them cannot be taken."""
    legs = list(legs)
    for leg in legs:
        state = arrow(state, leg.event).to
    while state in (State.FAILING, State.CLEANING):
        legs.append(Leg(Event.DONE))
        state = arrow(state, Event.DONE).to
    return tuple(legs)


def _arrives(state: State, report: Report) -> State:
    has_restarted = HAPPY_PATH.index(state) >= HAPPY_PATH.index(State.RESTARTING)
    if report is Report.INSTALLING and has_restarted:
        return State.VERIFYING
    return ARRIVES[report]


def _forward(state: State, to: State) -> list[Leg]:
    """From `state` to `to` along the happy path; nothing when that lies behind."""
    between = HAPPY_PATH[HAPPY_PATH.index(state) : HAPPY_PATH.index(to)]
    # It restarts only if it has said so: then that is where it is.
    idle = {State.BACKING_UP, State.RESTARTING} - {state}
    return [Leg(Event.NOTHING_TO_DO if one in idle else Event.DONE) for one in between]
