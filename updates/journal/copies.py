"""Taking the watchdog's file of an upgrade into the history. While that is open, the file is what counts, and this copies it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from django.db import transaction
from django.db.models import F

from updates.course import forced_outcome
from updates.errors import TooLate
from updates.journal.database import DatabaseJournal
from updates.journal.finishing import tell_finished
from updates.machine import Outcome, State
from updates.models import Upgrade, UpgradeEvent
from updates.runner import Failure
from updates.watchdog.durable import locked
from updates.watchdog.folder import Folder
from updates.watchdog.journal import FileJournal, claim
from updates.watchdog.record import MOMENTS, NOTE, Record, Told, moment, read_record

COPIED: Final = (
    "state", "state_seq", "unchanged", "progress", "error", "error_code", "error_state", "warning", "facts",
    "repeats", "cancel_requested_by",
)  # fmt: skip
LATE: Final = "told_late"
"""The fact that the history already says how it went on after it was ended here."""


def copy_in(record: Record) -> bool:
    """The upgrade's row and its history say what its file says, once however often it is called. Whether anything was new.

    Its row has to be there (`open_upgrades`), with the watchdog as its executor: another is left alone. One that was ended here
    meanwhile stays as it ended, and its history says how it went on.
    """
    with transaction.atomic():
        row = (
            Upgrade.objects.select_for_update()
            .filter(pk=record.upgrade, executor=Upgrade.Executor.WATCHDOG)
            .first()
        )
        if row is None:
            return False
        if row.state == State.FINISHED:
            return _tell_late(row, record)
        if record.last_seq <= row.last_seq and record.progress <= row.progress:
            return False
        fresh = [one for one in record.events if one.seq > row.last_seq]
        UpgradeEvent.objects.bulk_create(_event(row, one) for one in fresh)
        Upgrade.objects.filter(pk=row.pk).update(
            last_seq=max(row.last_seq, record.last_seq), **_fields(record)
        )
        if record.is_over:
            tell_finished(row.pk)
    return True


def _event(row: Upgrade, told: Told) -> UpgradeEvent:
    return UpgradeEvent(
        upgrade=row,
        seq=told.seq,
        at=datetime.fromisoformat(told.at),
        kind=told.kind,
        from_state=told.from_state,
        event=told.event,
        to_state=told.to_state,
        call=told.call[:100],
        text=told.text,
        data=told.data,
    )


def _fields(record: Record) -> dict[str, Any]:
    fields: dict[str, Any] = {name: getattr(record, name) for name in COPIED}
    fields |= {name: moment(getattr(record, name)) for name in MOMENTS if name != "created_at"}
    fields["outcome"] = record.outcome or None
    if record.plan:
        fields["plan"] = record.plan
    return fields


def _tell_late(row: Upgrade, record: Record) -> bool:
    """Once: what became of it after it was ended here."""
    is_as_told = record.outcome == row.outcome or not record.is_over
    if is_as_told or row.facts.get(LATE) or record.last_seq <= row.last_seq:
        return False
    said = record.outcome.replace("_", " ")
    Upgrade.objects.filter(pk=row.pk).update(
        last_seq=row.last_seq + 1, facts=row.facts | {LATE: True}
    )
    UpgradeEvent.objects.create(
        upgrade=row,
        seq=row.last_seq + 1,
        at=datetime.fromisoformat(record.finished_at),
        kind=NOTE,
        text=f"The watchdog went on with it after that: {said}. {record.error}".strip(),
    )
    return True


def end_file(folder: Folder, upgrade: str, failure: Failure, *, outcome: Outcome | None) -> bool:
    """Whether the upgrade is over in its file: ended there with `failure` if no watchdog lives that holds it.

    `outcome` is for one that cannot have changed anything yet; None: it was cancelled. A watchdog that wakes up later can write
    nothing more into it.
    """
    with locked(folder.holder, waits=False) as is_ours:
        record = read_record(folder.record(upgrade))
        if record is None or record.is_over or not is_ours:
            return record is not None and record.is_over
        fence = claim(folder, upgrade, last_seen=None)
        book = FileJournal(folder, upgrade, fence=fence, limits={})
        ends = forced_outcome(book.state, Outcome(record.outcome) if record.outcome else None)
        if ends is Outcome.CANCELLED and outcome is not None:
            ends = outcome
        book.break_off(failure, outcome=ends)
    return True


def end_row(upgrade_id: str, failure: Failure, *, outcome: Outcome) -> None:
    """An upgrade that nobody holds is over: the watchdog never took it, or it is its device's. TooLate when it was already."""
    with transaction.atomic():
        row = Upgrade.objects.select_for_update().get(pk=upgrade_id)
        if row.state == State.FINISHED:
            raise TooLate("It is over already.")
        Upgrade.objects.filter(pk=row.pk).update(fence=F("fence") + 1)
        DatabaseJournal(str(row.pk), fence=row.fence + 1).break_off(failure, outcome=outcome)
