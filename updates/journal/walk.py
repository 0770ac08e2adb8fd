"""Several arrows at once, for an upgrade that its device carries out: what was reported may lie several states ahead.

Nobody holds such an upgrade. Its row is locked by whoever brings the report, so there is one writer at a time here, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from django.db import IntegrityError, transaction

from portal.core import clock
from updates.course import Standing, move
from updates.errors import LeaseLost, TargetBusy
from updates.journal.finishing import tell_finished
from updates.machine import Outcome, State
from updates.models import Upgrade, UpgradeEvent
from updates.reported import Leg


def walk(
    row: Upgrade,
    legs: Sequence[Leg] = (),
    *,
    notes: Iterable[str] = (),
    output: Iterable[UpgradeEvent] = (),
    **fields: Any,  # noqa: ANN401 - columns
) -> None:
    """The notes, the output and then the arrows are in the history, `fields` in the row, and `row` is as it is stored now.

    In one write each, however many they are. In the caller's transaction, which has the row locked. NoArrow, and nothing
    written, when there is no arrow for one of them; TargetBusy when another upgrade of the device is active; LeaseLost when
    somebody else has written meanwhile.
    """
    now = clock.now()
    events = [
        *(UpgradeEvent(kind=UpgradeEvent.Kind.NOTE, text=note) for note in notes),
        *output,
    ]
    standing, seq = _standing(row), row.last_seq + len(events)
    for leg in legs:
        # The arrow is what the device did: a cancel that came too late for it is in its events, not put in its place here.
        taken = move(standing, leg.event, leg.failure, is_cancel_wanted=lambda: False, secrets=())
        seq += 1
        events.append(UpgradeEvent(kind=UpgradeEvent.Kind.ARROW, **taken.told(standing)))
        changes = taken.changes(standing)
        fields |= changes | {"state_seq": seq, "state_entered_at": now, "limit_from": None}
        if standing.state is State.PENDING:
            fields["started_at"] = now
        standing = _after(standing, changes)
    if standing.state is State.FINISHED and row.state != State.FINISHED:
        fields["finished_at"] = now
    for number, event in enumerate(events, start=row.last_seq + 1):
        event.upgrade, event.seq, event.at = row, number, now
    _write(row, {**fields, "last_seq": seq})
    UpgradeEvent.objects.bulk_create(events)
    if "finished_at" in fields:
        tell_finished(row.pk)


def _write(row: Upgrade, fields: dict[str, Any]) -> None:
    seen = Upgrade.objects.filter(pk=row.pk, state=row.state, last_seq=row.last_seq)
    try:
        with transaction.atomic(savepoint=row.state == State.PENDING):
            written = seen.update(**fields)
    except IntegrityError as error:
        raise TargetBusy(f"{row.device} is busy with another upgrade.", holder="") from error
    if written != 1:
        raise LeaseLost(f"Somebody else has written into upgrade {row.pk} meanwhile.")
    for name, value in fields.items():
        setattr(row, name, value)


def _standing(row: Upgrade) -> Standing:
    return Standing(
        state=State(row.state),
        outcome=Outcome(row.outcome) if row.outcome else None,
        progress=row.progress,
        repeats=row.repeats,
        error=row.error,
        was_in=lambda _state: (
            False
        ),  # what a device reports leads forward only, see `updates.reported`
    )


def _after(standing: Standing, changes: dict[str, Any]) -> Standing:
    outcome = changes.get("outcome")
    return replace(
        standing,
        state=State(changes["state"]),
        outcome=Outcome(outcome) if outcome else standing.outcome,
        progress=changes["progress"],
        error=changes.get("error", standing.error),
    )
