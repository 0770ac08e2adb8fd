"""What people write into upgrades that a worker may be holding: the order itself, a cancel, a put-back, a forced end."""

from __future__ import annotations

from typing import Any, Final

from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from portal.core import clock
from portal.core.errors import Conflict
from updates.course import FORCED, Standing, forced_outcome, move
from updates.errors import LeaseLost, TooLate
from updates.journal.database import DatabaseJournal
from updates.journal.events import append_event
from updates.journal.finishing import tell_finished
from updates.machine import CANCELLABLE, Event, Outcome, State
from updates.models import Upgrade, UpgradeEvent
from updates.recipes.hold import COMMIT_WANTED, HELD
from updates.runner import Failure

NOTE: Final = UpgradeEvent.Kind.NOTE
ARROW: Final = UpgradeEvent.Kind.ARROW
_WAITS: Final = Standing(
    state=State.PENDING, outcome=None, progress=0, repeats=0, error="", was_in=lambda _state: False
)
"""Where everything is that has not begun."""


def open_upgrades(upgrades: list[Upgrade]) -> None:
    """Every one of these new upgrades is PENDING, with the first event of its history. In the caller's transaction."""
    for upgrade in upgrades:
        upgrade.last_seq = upgrade.state_seq = 1
    Upgrade.objects.bulk_create(upgrades, batch_size=500)
    UpgradeEvent.objects.bulk_create(
        (
            UpgradeEvent(
                upgrade=upgrade,
                seq=1,
                at=upgrade.created_at,
                kind=ARROW,
                event="ordered",
                to_state=State.PENDING,
                text=f"Ordered by {upgrade.requested_by_name}: {upgrade.reason}",
            )
            for upgrade in upgrades
        ),
        batch_size=500,
    )


def request_cancel(upgrade_id: str, *, by: str) -> State:
    """The cancel is on record, and will be heard by whoever holds the upgrade; a PENDING one is over at once.

    TooLate when the state does not allow it any more. Returns the state in which the cancel was asked for.
    """
    with transaction.atomic():
        row = Upgrade.objects.select_for_update().get(pk=upgrade_id)
        state = State(row.state)
        if state not in CANCELLABLE:
            raise TooLate(f"It is too late to cancel: the upgrade is {state.replace('_', ' ')}.")
        if row.cancel_requested_at is not None:
            return state
        Upgrade.objects.filter(pk=row.pk).update(
            last_seq=F("last_seq") + 1,
            cancel_requested_at=clock.now(),
            cancel_requested_by=by,
            **(_counts_afresh(row) if row.is_held else {}),
        )
        append_event(row.pk, kind=NOTE, text=f"{by} asked for a cancel.")
        if state is State.PENDING:
            _end_waiting(row)
    return state


def cancel_waiting(upgrades: QuerySet[Upgrade], *, by: str, why: str) -> int:
    """Those of `upgrades` that have not begun are over, and the history of each says `why`. How many that were.

    In the caller's transaction, and in a few statements for all of them, but for what those do who hear of each end.
    """
    # Read as rows that are locked: one that has begun in between is none of them any more.
    waiting = upgrades.filter(state=State.PENDING).select_for_update().order_by("created_at")
    rows = list(waiting.only("last_seq"))
    now = clock.now()
    cancelled = move(_WAITS, Event.CANCEL, None, is_cancel_wanted=lambda: False, secrets=())
    for last_seq in {row.last_seq for row in rows}:
        alike = [row.pk for row in rows if row.last_seq == last_seq]
        seen = Upgrade.objects.filter(pk__in=alike, state=State.PENDING, last_seq=last_seq)
        written = seen.update(
            **cancelled.changes(_WAITS),
            fence=F("fence") + 1,  # a worker that is about to begin comes too late
            last_seq=last_seq + 2, state_seq=last_seq + 2, state_entered_at=now, limit_from=None,
            started_at=now, finished_at=now, lease_until=None,
            cancel_requested_at=now, cancel_requested_by=by,
        )  # fmt: skip
        if written != len(alike):
            raise LeaseLost("Somebody else has written into what was to be cancelled meanwhile.")
    note, arrow = {"kind": NOTE, "text": why}, {"kind": ARROW, **cancelled.told(_WAITS)}
    UpgradeEvent.objects.bulk_create(
        (
            UpgradeEvent(upgrade=row, seq=row.last_seq + number, at=now, **says)
            for row in rows
            for number, says in enumerate((note, arrow), start=1)
        ),
        batch_size=500,
    )
    tell_finished(*(row.pk for row in rows))
    return len(rows)


def _end_waiting(row: Upgrade) -> None:
    """A worker that is about to claim the row comes too late."""
    Upgrade.objects.filter(pk=row.pk).update(fence=F("fence") + 1)
    DatabaseJournal(str(row.pk), fence=row.fence + 1).take(Event.CANCEL)


def want_commit(upgrade_id: str, *, by: str) -> None:
    """Whoever goes on with the upgrade commits it. Conflict when it does not wait for that."""
    with transaction.atomic():
        row = Upgrade.objects.select_for_update().get(pk=upgrade_id)
        # While a worker holds it the facts are that worker's to write; it is about to leave.
        is_free = row.lease_until is None or row.lease_until < clock.now()
        if not row.facts.get(HELD) or not is_free or row.state == State.FINISHED:
            raise Conflict("It does not wait for a commit.")
        if row.cancel_requested_at is not None:
            raise Conflict(f"{row.cancel_requested_by} has asked for a cancel.")
        facts = {word: fact for word, fact in row.facts.items() if word != HELD}
        Upgrade.objects.filter(pk=row.pk).update(
            last_seq=F("last_seq") + 1,
            facts=facts | {COMMIT_WANTED: True},
            lease_until=None,
            fence=F("fence")
            + 1,  # a worker that was lost and wakes up must not write the old facts
            **_counts_afresh(row),
        )
        append_event(row.pk, kind=NOTE, text=f"{by} wants it committed.")


def _counts_afresh(row: Upgrade) -> dict[str, Any]:
    """The columns that say that its state's time limit begins now: how long a person takes to look is no step's fault."""
    now = clock.now()
    had_holder = row.unheld_since or row.lease_until
    return {"limit_from": now, "unheld_since": now if had_holder else None}


def put_back(upgrade_id: str, *, by: str) -> None:
    """Whoever comes first may claim the upgrade: a lease that ran out is gone, and who saw to it is on record.

    Conflict while a worker holds it: says which one, and until when. TooLate when it is over.
    """
    now = clock.now()
    with transaction.atomic():
        row = Upgrade.objects.select_for_update().get(pk=upgrade_id)
        if row.state == State.FINISHED:
            raise TooLate("It is over already.")
        if row.lease_until is not None and row.lease_until >= now:
            until = timezone.localtime(row.lease_until)
            raise Conflict(f"{row.worker} holds it until {until:%H:%M:%S %Z}, and may renew that.")
        text = f"{by} put it back on the queue."
        if row.lease_until is not None:
            lost = timezone.localtime(row.lease_until)
            text = f"{text} The lease of {row.worker} ran out at {lost:%Y-%m-%d %H:%M:%S %Z}."
        Upgrade.objects.filter(pk=row.pk).update(
            last_seq=F("last_seq") + 1,
            lease_until=None,
            unheld_since=row.unheld_since or row.lease_until,
        )
        append_event(row.pk, kind=NOTE, text=text)


def force_end(upgrade_id: str, *, by: str) -> None:
    """The upgrade is over, whatever its holder is doing: `cancelled` if nothing can have been changed yet, else `broken`.

    The holder, should it still live, can write nothing more, and the device takes no step of it. TooLate when it is over.
    """
    with transaction.atomic():
        row = Upgrade.objects.select_for_update().get(pk=upgrade_id)
        state = State(row.state)
        if state is State.FINISHED:
            raise TooLate("It is over already.")
        Upgrade.objects.filter(pk=row.pk).update(fence=F("fence") + 1)
        journal = DatabaseJournal(str(row.pk), fence=row.fence + 1)
        says = f"{by} ended it by force in {state.replace('_', ' ')}."
        if state is State.PENDING:
            journal.take(Event.CANCEL)
            return
        outcome = forced_outcome(state, Outcome(row.outcome) if row.outcome else None)
        if outcome is Outcome.BROKEN:
            says += " Nobody knows what it left on the device."
        journal.break_off(Failure(code=FORCED, sentence=says), outcome=outcome)
