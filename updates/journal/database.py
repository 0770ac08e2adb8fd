"""One upgrade's memory in the database, for the worker that holds it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from typing import Any

import structlog
from django.conf import settings
from django.db import IntegrityError, InterfaceError, OperationalError, transaction
from django.db.models import F

from portal.core import clock
from updates.course import REPEATED_TOO_OFTEN, Move, Standing, ended, move
from updates.errors import LeaseLost, TargetBusy
from updates.journal.events import append_event
from updates.journal.finishing import tell_finished
from updates.journal.turns import ahead_of
from updates.lease import Heartbeat
from updates.machine import (
    ACTIVE,
    Event,
    Outcome,
    State,
    arrow,
    progress_within,
)
from updates.models import Upgrade, UpgradeEvent
from updates.output import OutputLimits, Said
from updates.runner import Failure, HandOver

log = structlog.get_logger(__name__)

LOOK_SECONDS = 1.0
"""How often a holder looks whether a cancel was asked for, or whether it still is the holder."""


class DatabaseJournal:
    """The runner's Journal over the database, for the holder with `fence`. One thread, one job, one `with` block.

    `secrets` are blotted out of all output. `wants_leave` answers whether this worker is to hand its upgrade over.
    """

    def __init__(
        self,
        upgrade_id: str,
        *,
        fence: int,
        secrets: Iterable[str] = (),
        wants_leave: Callable[[], bool] = lambda: False,
    ) -> None:
        self.upgrade = upgrade_id
        self.fence = fence
        self.trouble: tuple[type[Exception], ...] = (OperationalError, InterfaceError)
        self._secrets = tuple(secrets)
        self._wants_leave = wants_leave
        self._row = self._load()
        self._said = Said(
            secrets=lambda: self._secrets,
            limits=OutputLimits(
                settings.OUTPUT_CHUNK_BYTES,
                settings.OUTPUT_CHUNK_SECONDS,
                settings.OUTPUT_LIMIT_BYTES,
            ),
            stored=self._stored,
            keep=self._keep,
        )
        self._percent = self._row.progress
        self._looked_at = 0.0
        self._heartbeat = Heartbeat(upgrade_id, fence=fence, seconds_left=self.seconds_left)

    def __enter__(self) -> DatabaseJournal:
        self._heartbeat.__enter__()
        return self

    def __exit__(self, *exc: Any) -> None:  # noqa: ANN401 - as the language has it
        self._heartbeat.__exit__(*exc)

    @property
    def state(self) -> State:
        return State(self._row.state)

    @property
    def state_seq(self) -> int:
        return self._row.state_seq

    @property
    def is_success(self) -> bool:
        return self._row.outcome == Outcome.SUCCEEDED

    @property
    def is_broken(self) -> bool:
        return self._row.outcome == Outcome.BROKEN

    def take(self, event: Event, *, failure: Failure | None = None) -> State:
        arrow(self.state, event)
        self._said.flush_all()
        with transaction.atomic():
            chosen = move(
                self._standing(),
                event,
                failure,
                is_cancel_wanted=self._is_cancel_wanted,
                secrets=self._secrets,
            )
            if self.state is State.PENDING and chosen.arrow.to in ACTIVE:
                self._check_turn()
            self._move(chosen)
        self._row = self._load()
        self._percent = self._row.progress
        self._looked_at = 0.0
        log.info("arrow", upgrade=self.upgrade, step_event=event.value, state=self.state.value)
        return self.state

    def break_off(self, failure: Failure, *, outcome: Outcome = Outcome.BROKEN) -> None:
        self._said.flush_all()
        with transaction.atomic():
            self._move(ended(failure, outcome, secrets=self._secrets))
        self._row = self._load()

    def took_over(self, *, worker: str) -> None:
        """On record: another worker held this upgrade, died, and `worker` goes on. Counts as a repeat, so it ends somewhere."""
        standing = self._standing()
        if standing.is_worn_out:
            self.break_off(REPEATED_TOO_OFTEN, outcome=standing.given_up())
            return
        with transaction.atomic():
            self._write(repeats=F("repeats") + 1)
            self._append(kind=UpgradeEvent.Kind.NOTE, text=f"{worker} took over in {self.state}.")
        self._row = self._load()

    def output(self, call: str, data: bytes) -> None:
        self._said.feed(call, data)

    def output_stored(self, call: str) -> int:
        return self._said.end(call)

    def note(self, text: str, *, call: str = "", data: dict[str, Any] | None = None) -> None:
        self._said.flush_all()
        with transaction.atomic():
            self._append(kind=UpgradeEvent.Kind.NOTE, text=text, call=call, data=data or {})

    def progress(self, fraction: float) -> None:
        percent = progress_within(self.state, fraction)
        if percent > self._percent:
            self._write(progress=percent)
            self._percent = percent

    def recall(self, fact: str) -> Any:  # noqa: ANN401 - JSON
        return self._row.facts.get(fact)

    def remember(self, fact: str, value: Any) -> None:  # noqa: ANN401 - JSON
        self._row.facts[fact] = value
        self._write(facts=self._row.facts)

    def seconds_left(self) -> float:
        limit = settings.STATE_LIMIT_SECONDS.get(
            self._row.state, math.inf
        )  # nothing runs while it waits
        since = self._row.limit_from or self._row.state_entered_at
        return float(limit - (clock.now() - since).total_seconds())

    def tick(self) -> bool:
        self._said.flush_due()
        if self._wants_leave():
            raise HandOver
        if time.monotonic() - self._looked_at >= LOOK_SECONDS:
            self._looked_at = time.monotonic()
            self._row.cancel_requested_at = self._load().cancel_requested_at
        return self._row.cancel_requested_at is not None

    def _load(self) -> Upgrade:
        row = Upgrade.objects.filter(pk=self.upgrade, fence=self.fence).first()
        if row is None:
            raise LeaseLost(f"Another worker holds upgrade {self.upgrade} now.")
        return row

    def _check_turn(self) -> None:
        ahead = ahead_of(self._row)
        if ahead is not None:
            raise TargetBusy(f"{self._row.device} is busy with {ahead}.", holder=str(ahead.pk))

    def _is_cancel_wanted(self) -> bool:
        """A cancel that was accepted is never lost: the row is locked, so none can be accepted after this answer."""
        row = Upgrade.objects.select_for_update().get(pk=self.upgrade)
        return row.cancel_requested_at is not None

    def _standing(self) -> Standing:
        row = self._row
        return Standing(
            state=self.state,
            outcome=Outcome(row.outcome) if row.outcome else None,
            progress=self._percent,
            repeats=row.repeats,
            error=row.error,
            was_in=self._was_in,
        )

    def _was_in(self, state: State) -> bool:
        return UpgradeEvent.objects.filter(
            upgrade_id=self.upgrade, kind=UpgradeEvent.Kind.ARROW, to_state=state
        ).exists()

    def _move(self, chosen: Move) -> None:
        standing = self._standing()
        try:
            with transaction.atomic():
                self._write(
                    state_is=self.state, **chosen.changes(standing), **self._times(chosen.arrow.to)
                )
        except IntegrityError:
            self._check_turn()
            raise
        self._append(kind=UpgradeEvent.Kind.ARROW, **chosen.told(standing))
        if chosen.arrow.to is State.FINISHED:
            tell_finished(self.upgrade)

    def _times(self, to: State) -> dict[str, Any]:
        now = clock.now()
        times: dict[str, Any] = {
            "state_seq": F("last_seq") + 1,
            "state_entered_at": now,
            "limit_from": None,
        }
        if self.state is State.PENDING:
            times["started_at"] = now
        if to is State.FINISHED:
            times |= {"finished_at": now, "lease_until": None}
        return times

    def _write(self, *, state_is: State | None = None, **fields: Any) -> None:  # noqa: ANN401 - columns
        mine = Upgrade.objects.filter(pk=self.upgrade, fence=self.fence)
        if state_is is not None:
            mine = mine.filter(state=state_is)
        if mine.update(**fields) != 1:
            raise LeaseLost(f"Another worker holds upgrade {self.upgrade} now.")

    def _append(self, **fields: Any) -> None:  # noqa: ANN401 - columns
        self._write(last_seq=F("last_seq") + 1)
        append_event(self.upgrade, **fields)

    def _stored(self, call: str) -> int:
        last = (
            UpgradeEvent.objects.filter(
                upgrade_id=self.upgrade, kind=UpgradeEvent.Kind.OUTPUT, call=call
            )
            .order_by("-seq")
            .values_list("data", flat=True)
            .first()
        )
        return last["end"] if last else 0

    def _keep(self, call: str, texts: list[str], end: int) -> None:
        with transaction.atomic():
            for text in texts:
                self._append(kind=UpgradeEvent.Kind.OUTPUT, call=call, text=text, data={"end": end})
