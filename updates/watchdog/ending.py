"""Upgrades that the watchdog ends without going on with them."""

from __future__ import annotations

from typing import Final

import structlog

from updates.course import FORCED, forced_outcome
from updates.machine import Event, Outcome, State
from updates.recipes.container.recipe import BACKUP
from updates.runner import Failure
from updates.watchdog.folder import Folder
from updates.watchdog.journal import FileJournal, claim
from updates.watchdog.record import Record, read_record, records, unfinished, write_record
from updates.watchdog.trigger import Inbox

log = structlog.get_logger(__name__)

ELSEWHERE: Final = (
    "It was begun by a watchdog of an older version, or by none: this one goes on with nothing but what it wrote down itself. "
    "See what runs, and start the portal again if need be."
)


def end_as_shown(folder: Folder) -> None:
    """Over is what the portal has ended while no watchdog lived: the copy that it sees says so."""
    record = unfinished(folder)
    if folder.own is None or record is None:
        return
    try:
        shown = read_record(folder.as_shown.record(record.upgrade))
    except (OSError, ValueError):
        return
    if shown is not None and shown.is_over:
        log.warning("ended by the portal", upgrade=record.upgrade, why=shown.error)
        _end(folder, record, Failure(shown.error_code or FORCED, shown.error[:2000]))


def end_what_was_begun_elsewhere(folder: Folder) -> None:
    """What lies in DATA_DIR alone is history, and nothing of it is carried out: the portal's user can write there.

    One that was about to end, as that of the upgrade to the first watchdog with a folder of its own, is over as it was to be. One
    that was shown while its trigger was being taken is left alone: it is taken again.
    """
    awaited = Inbox(folder).taken_upgrade() if folder.own is not None else ""
    known = {record.upgrade for record in records(folder)} if folder.own is not None else set()
    for record in records(folder.as_shown):
        if record.upgrade in known or (record.upgrade == awaited and not record.is_over):
            continue
        if not record.is_over:
            _end(folder.as_shown, record, Failure(FORCED, ELSEWHERE))
            log.warning("ended, for it was begun elsewhere", upgrade=record.upgrade)
        found = read_record(folder.as_shown.record(record.upgrade))
        if found is not None and folder.own is not None:
            found.plan, found.facts = (
                {},
                {fact: value for fact, value in found.facts.items() if fact == BACKUP},
            )
            write_record(folder, found)


def _end(folder: Folder, record: Record, failure: Failure) -> None:
    fence = claim(folder, record.upgrade, last_seen=None)
    book = FileJournal(folder, record.upgrade, fence=fence, limits={})
    if book.state is State.CLEANING:
        book.take(Event.DONE)
        return
    outcome = Outcome(record.outcome) if record.outcome else None
    book.break_off(failure, outcome=forced_outcome(book.state, outcome))
