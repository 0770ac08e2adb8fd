"""What a device says of an upgrade that it carries out."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto
from typing import Final
from uuid import UUID

from django.db import transaction

from devices.models import Device
from portal.core.errors import Refused
from updates import journal
from updates.course import FORCED
from updates.machine import Event, Outcome, State
from updates.models import Upgrade
from updates.recipes.hold import COMMIT_WANTED, HELD
from updates.reported import DECOMMISSIONED, ON_ITS_WAY, SILENT, Leg, Report, legs_of
from updates.services.pulled.rows import (
    has_said_too_much,
    heard_now,
    locked_offered,
    new_facts,
    tidy,
)

ABORTED: Final = "aborted"
"""The fact that the device is to give it up, because somebody has cancelled it."""
HOLDS: Final = "holds"
"""The fact that it waits before its commit until somebody has looked."""
ENDED_HERE: Final = (FORCED, SILENT, DECOMMISSIONED)
"""Codes of upgrades that the portal ended without a word of the device."""

WAITS_FOR_COMMIT: Final = (
    "It is installed, and waits: commit it, or cancel it, which takes it back."
)
PAUSES: Final = {
    Report.PAUSE_BEFORE_INSTALLING: "The device waits before it installs.",
    Report.PAUSE_BEFORE_REBOOTING: "The device waits before it restarts.",
    Report.PAUSE_BEFORE_COMMITTING: "The device waits before it commits.",
}


class Answer(Enum):
    """What the device is told: it may go on, or it has to give up."""

    TAKEN = auto()
    ABORTED = auto()


def report_status(*, device: Device, upgrade_id: UUID, status: str, substate: str = "") -> Answer:
    """The upgrade is where the device says that it is. A repeat, or a status from before, changes nothing.

    NotOffered when the device knows of no such upgrade, Refused when Mender's clients know no such status.
    """
    if status not in list(Report):
        raise Refused(f"{tidy(status)!r} is no status of a deployment.")
    report = Report(status)
    with transaction.atomic():
        row = locked_offered(device, upgrade_id)
        if row.state == State.FINISHED:
            return _heard_late(row, report)
        is_cancel_wanted = row.cancel_requested_at is not None
        legs = legs_of(State(row.state), report, is_cancel_wanted=is_cancel_wanted)
        _take(row, report, legs, substate=tidy(substate))
        # A failure that is on its way back may be followed by a log, which a device that is sent away does not send.
        is_aborted = row.facts.get(ABORTED) and report is not Report.FAILURE
    return Answer.ABORTED if is_aborted else Answer.TAKEN


def is_aborted(row: Upgrade) -> bool:
    """Whether the device is to be told to give the upgrade up, however often it asks: for one that is over."""
    is_ended = row.error_code in (FORCED, DECOMMISSIONED) or row.outcome == Outcome.CANCELLED
    return is_ended or bool(row.facts.get(ABORTED))


def _take(row: Upgrade, report: Report, legs: tuple[Leg, ...], *, substate: str) -> None:
    """In the history and the row, if there is anything new."""
    facts, notes = row.facts | heard_now(row), []
    has_words = substate and not has_said_too_much(row)
    if has_words and (said := new_facts(facts, f"{report}: {substate}")):
        facts, notes = said, [f"It says: {report}, {substate}."]
    if any(leg.event is Event.CANCEL for leg in legs):
        facts |= {ABORTED: True}
    if _holds(row, report, facts):
        if not facts.get(HELD):
            facts[HELD] = True
            notes.append(WAITS_FOR_COMMIT)
    else:
        facts.pop(HELD, None)
        if report in PAUSES and (said := new_facts(facts, report)):
            facts = said
            notes.append(PAUSES[report])
    if legs or notes or facts != row.facts:
        journal.walk(row, legs, notes=notes, facts=facts)


def _holds(row: Upgrade, report: Report, facts: Mapping[str, object]) -> bool:
    """It is where it waits for somebody's commit, and nobody has said yet what is to become of it."""
    is_there = row.state in ON_ITS_WAY and report is Report.PAUSE_BEFORE_COMMITTING
    return (
        is_there
        and bool(facts.get(HOLDS))
        and not facts.get(COMMIT_WANTED)
        and not facts.get(ABORTED)
    )


def _heard_late(row: Upgrade, report: Report) -> Answer:
    """Where the truth that comes now is another than the history's, that says so, once."""
    is_good = report in (Report.SUCCESS, Report.ALREADY_INSTALLED)
    contradicts = is_good if row.outcome != Outcome.SUCCEEDED else report is Report.FAILURE
    if (contradicts or row.error_code in ENDED_HERE) and (
        facts := new_facts(row.facts, f"late {report}")
    ):
        journal.walk(row, notes=[f"After it was over, the device said: {report}."], facts=facts)
    return Answer.ABORTED if is_aborted(row) else Answer.TAKEN
