"""One upgrade's memory in the database, for the worker that holds it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import structlog
from django.conf import settings
from django.db import IntegrityError, InterfaceError, OperationalError, transaction
from django.db.models import F
from django.db.models.functions import Greatest
from django.utils.module_loading import import_string

from portal.core import clock
from updates.errors import LeaseLost, TargetBusy
from updates.journal.events import append_event
from updates.journal.turns import ahead_of
from updates.lease import Heartbeat
from updates.machine import (
    ACTIVE,
    CANCELLABLE,
    PROGRESS,
    REPEAT_LIMIT,
    Arrow,
    Event,
    Outcome,
    State,
    arrow,
    given_up,
    progress_within,
)
from updates.models import Upgrade, UpgradeEvent
from updates.output import OutputBuffer, blot_out
from updates.runner import Failure, HandOver

log = structlog.get_logger(__name__)

LOOK_SECONDS = 1.0
"""How often a holder looks whether a cancel was asked for, or whether it still is the holder."""

ENDINGS = frozenset({State.ROLLING_BACK, State.FAILING, State.CLEANING, State.FINISHED})
"""A failure that leads here is the upgrade's; one that leads elsewhere was got over."""

WELL = frozenset({Event.DONE, Event.NOTHING_TO_DO, Event.ALREADY_THERE})
"""A step that ended like this gives way to a cancel: what was cancelled during the download is never installed."""

NO_WAY_BACK = Failure(code="UPD-302", sentence="What it installs cannot be rolled back.")

REPEATED_TOO_OFTEN = Failure(
    code="UPD-301",
    sentence=f"It had to begin a state again more than {REPEAT_LIMIT} times, so it was stopped where it was.",
)


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
        self._buffers: dict[str, OutputBuffer] = {}
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
        chosen = arrow(self.state, event)
        if chosen.outcome is Outcome.BROKEN and failure is None:
            failure = NO_WAY_BACK
        self._flush_all()
        with transaction.atomic():
            if self.state is State.PENDING and chosen.to in ACTIVE:
                self._check_turn()
            if self.state in CANCELLABLE and event in WELL and self._is_cancel_wanted():
                event, chosen = Event.CANCEL, arrow(self.state, Event.CANCEL)
            if self._row.repeats >= REPEAT_LIMIT and self._is_repeat(chosen):
                self._end(event, failure=REPEATED_TOO_OFTEN, outcome=self._given_up())
            else:
                self._move(event, chosen, failure=failure)
        self._row = self._load()
        self._percent = self._row.progress
        self._looked_at = 0.0
        log.info("arrow", upgrade=self.upgrade, step_event=event.value, state=self.state.value)
        return self.state

    def break_off(self, failure: Failure, *, outcome: Outcome = Outcome.BROKEN) -> None:
        self._flush_all()
        with transaction.atomic():
            self._end(Event.FAILED, failure=failure, outcome=outcome)
        self._row = self._load()

    def took_over(self, *, worker: str) -> None:
        """On record: another worker held this upgrade, died, and `worker` goes on. Counts as a repeat, so it ends somewhere."""
        if self._row.repeats >= REPEAT_LIMIT:
            self.break_off(REPEATED_TOO_OFTEN, outcome=self._given_up())
            return
        with transaction.atomic():
            self._write(repeats=F("repeats") + 1)
            self._append(kind=UpgradeEvent.Kind.NOTE, text=f"{worker} took over in {self.state}.")
        self._row = self._load()

    def output(self, call: str, data: bytes) -> None:
        self._store(call, self._buffer(call).feed(data))

    def output_stored(self, call: str) -> int:
        return self._buffer(call).end

    def note(self, text: str, *, call: str = "", data: dict[str, Any] | None = None) -> None:
        self._flush_all()
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
        self._flush_due()
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

    def _is_repeat(self, chosen: Arrow) -> bool:
        return UpgradeEvent.objects.filter(
            upgrade_id=self.upgrade, kind=UpgradeEvent.Kind.ARROW, to_state=chosen.to
        ).exists()

    def _given_up(self) -> Outcome:
        return given_up(self.state, Outcome(self._row.outcome) if self._row.outcome else None)

    def _end(self, event: Event, *, failure: Failure, outcome: Outcome) -> None:
        self._move(event, Arrow(State.FINISHED, outcome), failure=failure)

    def _move(self, event: Event, chosen: Arrow, *, failure: Failure | None) -> None:
        said = self._masked(failure) if failure else None
        try:
            with transaction.atomic():
                self._write(state_is=self.state, **self._changes(chosen, failure=said))
        except IntegrityError:
            self._check_turn()
            raise
        self._append(
            kind=UpgradeEvent.Kind.ARROW,
            from_state=self.state,
            event=event,
            to_state=chosen.to,
            call=said.call if said else "",
            text=said.sentence if said else "",
            data={"code": said.code, "output": said.output} if said else {},
        )
        if chosen.to is State.FINISHED:
            finished = Upgrade.objects.select_related("device", "artifact", "instance").get(
                pk=self.upgrade
            )
            for name in settings.UPGRADE_FINISHED:
                import_string(name)(finished)

    def _changes(self, chosen: Arrow, *, failure: Failure | None) -> dict[str, Any]:
        now = clock.now()
        changes: dict[str, Any] = {
            "state": chosen.to,
            "state_seq": F("last_seq") + 1,
            "state_entered_at": now,
            "limit_from": None,
            "progress": Greatest(F("progress"), PROGRESS[chosen.to]),
        }
        if chosen.outcome:
            changes["outcome"] = chosen.outcome
        if chosen.unchanged:
            changes["unchanged"] = True
        if self._is_repeat(chosen):
            changes["repeats"] = F("repeats") + 1
        if self.state is State.PENDING:
            changes["started_at"] = now
        if chosen.to is State.FINISHED:
            changes |= {"finished_at": now, "lease_until": None}
        if failure and chosen.warns:
            changes["warning"] = failure.sentence
        elif failure and chosen.to in ENDINGS and not self._row.error:
            changes |= {
                "error": failure.sentence,
                "error_code": failure.code,
                "error_state": self.state,
            }
        return changes

    def _masked(self, failure: Failure) -> Failure:
        return replace(
            failure,
            sentence=blot_out(failure.sentence, self._secrets),
            output=blot_out(failure.output, self._secrets),
        )

    def _write(self, *, state_is: State | None = None, **fields: Any) -> None:  # noqa: ANN401 - columns
        mine = Upgrade.objects.filter(pk=self.upgrade, fence=self.fence)
        if state_is is not None:
            mine = mine.filter(state=state_is)
        if mine.update(**fields) != 1:
            raise LeaseLost(f"Another worker holds upgrade {self.upgrade} now.")

    def _append(self, **fields: Any) -> None:  # noqa: ANN401 - columns
        self._write(last_seq=F("last_seq") + 1)
        append_event(self.upgrade, **fields)

    def _buffer(self, call: str) -> OutputBuffer:
        if call not in self._buffers:
            last = (
                UpgradeEvent.objects.filter(
                    upgrade_id=self.upgrade, kind=UpgradeEvent.Kind.OUTPUT, call=call
                )
                .order_by("-seq")
                .values_list("data", flat=True)
                .first()
            )
            self._buffers[call] = OutputBuffer(
                secrets=self._secrets,
                chunk_bytes=settings.OUTPUT_CHUNK_BYTES,
                chunk_seconds=settings.OUTPUT_CHUNK_SECONDS,
                clock=time.monotonic,
                limit_bytes=settings.OUTPUT_LIMIT_BYTES,
                start=last["end"] if last else 0,
            )
        return self._buffers[call]

    def _store(self, call: str, texts: list[str]) -> None:
        if not texts:
            return
        with transaction.atomic():
            for text in texts:
                self._append(
                    kind=UpgradeEvent.Kind.OUTPUT,
                    call=call,
                    text=text,
                    data={"end": self._buffer(call).end},
                )

    def _flush_due(self) -> None:
        for call, buffer in self._buffers.items():
            self._store(call, buffer.due())

    def _flush_all(self) -> None:
        for call, buffer in self._buffers.items():
            self._store(call, buffer.drain())
        self._buffers.clear()
