"""One upgrade's memory in a file, for the watchdog that holds it: the runner's Journal, as the database's is."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final

import structlog

from updates.course import REPEATED_TOO_OFTEN, Move, Standing, ended, move
from updates.errors import LeaseLost
from updates.machine import ACTIVE, HAPPY_PATH, Event, Outcome, State, arrow, progress_within
from updates.output import OutputLimits, Said
from updates.runner import Failure, HandOver
from updates.watchdog.durable import locked, read_whole
from updates.watchdog.folder import Folder
from updates.watchdog.record import (
    ARROW,
    NOTE,
    OUTPUT,
    Record,
    iso_now,
    moment,
    read_record,
    write_record,
)

log = structlog.get_logger(__name__)

LOOK_SECONDS = 1.0
OUTPUT_LIMITS: Final = OutputLimits(chunk_bytes=4096, chunk_seconds=1.0, limit_bytes=128 * 1024)
"""Less than the database takes: the whole file is written anew each time."""
LONGEST_NAME: Final = 1024


ON_THE_WAY: Final = frozenset(HAPPY_PATH[1:7])
"""From CHECKING to VERIFYING: from there on, there is a way back still."""


class JournalTrouble(Exception):
    """The file system takes no more, or gives no answer: nothing that a step did."""


class FileJournal:
    """The runner's Journal over a file, for the holder with `fence`. `limits` are seconds for each state; after
    `whole_seconds` it goes no further, but back.

    Every write is one new file under the old name, so a state and its event are both there or neither is.
    """

    def __init__(
        self,
        folder: Folder,
        upgrade: str,
        *,
        fence: int,
        limits: Mapping[str, float],
        whole_seconds: float = math.inf,
        secrets: Callable[[], Iterable[str]] = tuple,
        wants_leave: Callable[[], bool] = lambda: False,
    ) -> None:
        self.upgrade = upgrade
        self.fence = fence
        self.trouble: tuple[type[Exception], ...] = (JournalTrouble,)
        self._folder = folder
        self._limits = limits
        self._whole_seconds = whole_seconds
        self._secrets = secrets
        self._wants_leave = wants_leave
        self._record = self._load()
        self._looked_at = 0.0
        self._said = Said(
            secrets=self._secrets, limits=OUTPUT_LIMITS, stored=self._stored, keep=self._keep
        )

    @property
    def state(self) -> State:
        return State(self._record.state)

    @property
    def state_seq(self) -> int:
        return self._record.state_seq

    @property
    def outcome(self) -> str:
        """What is decided so far; empty while nothing is."""
        return self._record.outcome

    @property
    def is_success(self) -> bool:
        return self._record.outcome == Outcome.SUCCEEDED

    @property
    def is_broken(self) -> bool:
        return self._record.outcome == Outcome.BROKEN

    def take(self, event: Event, *, failure: Failure | None = None) -> State:
        arrow(self.state, event)
        self._said.flush_all()
        with self._written() as record:
            chosen = move(
                self._standing(),
                event,
                failure,
                is_cancel_wanted=lambda: self._hear_cancel(record),
                secrets=self._secrets() if failure else (),
            )
            self._move(record, chosen)
        self._looked_at = 0.0
        log.info("arrow", upgrade=self.upgrade, step_event=event.value, state=self.state.value)
        return self.state

    def break_off(self, failure: Failure, *, outcome: Outcome = Outcome.BROKEN) -> None:
        self._said.flush_all()
        with self._written() as record:
            self._move(record, ended(failure, outcome, secrets=self._secrets()))

    def took_over(self, *, worker: str) -> None:
        """On record: another watchdog held this upgrade, and `worker` goes on. Counts as a repeat, so it ends somewhere."""
        standing = self._standing()
        if standing.is_worn_out:
            self.break_off(REPEATED_TOO_OFTEN, outcome=standing.given_up())
            return
        with self._written() as record:
            record.repeats += 1
            record.append(kind=NOTE, text=f"{worker} took over in {self.state}.")

    def output(self, call: str, data: bytes) -> None:
        self._said.feed(call, data)

    def output_stored(self, call: str) -> int:
        return self._said.end(call)

    def note(self, text: str, *, call: str = "", data: dict[str, Any] | None = None) -> None:
        self._said.flush_all()
        with self._written() as record:
            record.append(kind=NOTE, text=text, call=call, data=data or {})

    def progress(self, fraction: float) -> None:
        percent = progress_within(self.state, fraction)
        if percent > self._record.progress:
            with self._written() as record:
                record.progress = percent

    def recall(self, fact: str) -> Any:  # noqa: ANN401 - JSON
        return self._record.facts.get(fact)

    def remember(self, fact: str, value: Any) -> None:  # noqa: ANN401 - JSON
        with self._written() as record:
            record.facts[fact] = value

    def seconds_left(self) -> float:
        limit = self._limits.get(self._record.state, math.inf)
        since = moment(self._record.limit_from) or moment(self._record.state_entered_at)
        now = datetime.now(UTC)
        left = limit - (now - since).total_seconds() if since else limit
        began = moment(self._record.started_at)
        if began is None or self.state not in ON_THE_WAY:
            return left
        return min(left, self._whole_seconds - (now - began).total_seconds())

    def tick(self) -> bool:
        self._said.flush_due()
        if self._wants_leave():
            raise HandOver
        if time.monotonic() - self._looked_at >= LOOK_SECONDS:
            self._looked_at = time.monotonic()
            if not self._record.cancel_requested_at and self._cancel_asked_by():
                with self._written() as record:
                    self._hear_cancel(record)
            else:
                self._record = self._load()
        return bool(self._record.cancel_requested_at)

    def release(self) -> None:
        """Anybody may go on with it. Time in which nobody does is no step's fault."""
        self._said.flush_all()
        with self._written() as record:
            record.unheld_since = iso_now()

    def _load(self) -> Record:
        try:
            record = read_record(self._folder.record(self.upgrade))
        except (OSError, ValueError) as error:
            raise JournalTrouble(str(error)) from error
        if record is None or record.fence != self.fence:
            raise LeaseLost(f"Another watchdog holds upgrade {self.upgrade} now.")
        return record

    @contextmanager
    def _written(self) -> Iterator[Record]:
        """The record to be changed: as it is left, it is in the file, or nothing of it is."""
        with written(self._folder, self._load) as record:
            yield record
        self._record = record

    def _standing(self) -> Standing:
        record = self._record
        return Standing(
            state=self.state,
            outcome=Outcome(record.outcome) if record.outcome else None,
            progress=record.progress,
            repeats=record.repeats,
            error=record.error,
            was_in=lambda state: any(one.to_state == state for one in record.events),
        )

    def _move(self, record: Record, chosen: Move) -> None:
        standing = self._standing()
        for name, value in chosen.changes(standing).items():
            setattr(record, name, value)
        now = iso_now()
        record.append(kind=ARROW, **chosen.told(standing))
        record.state_seq, record.state_entered_at, record.limit_from = record.last_seq, now, ""
        if standing.state is State.PENDING:
            record.started_at = now
        if chosen.arrow.to is State.FINISHED:
            record.finished_at = now

    def _cancel_asked_by(self) -> str:
        """The name of who has asked for a cancel, if anybody has."""
        try:
            asked = read_whole(self._folder.cancel(self.upgrade), most_bytes=LONGEST_NAME)
        except (OSError, ValueError):
            return "Somebody"
        return "" if asked is None else asked.decode(errors="replace").strip()[:150] or "Somebody"

    def _hear_cancel(self, record: Record) -> bool:
        """Whether somebody has asked for a cancel; the record says who."""
        by = "" if record.cancel_requested_at else self._cancel_asked_by()
        if by:
            record.cancel_requested_at, record.cancel_requested_by = iso_now(), by
            record.append(kind=NOTE, text=f"{by} asked for a cancel.")
        return bool(record.cancel_requested_at)

    def _stored(self, call: str) -> int:
        ends = [
            one.data["end"]
            for one in self._record.events
            if one.kind == OUTPUT and one.call == call
        ]
        return int(ends[-1]) if ends else 0

    def _keep(self, call: str, texts: list[str], end: int) -> None:
        with self._written() as record:
            for text in texts:
                record.append(kind=OUTPUT, call=call, text=text, data={"end": end})


@contextmanager
def written(folder: Folder, load: Callable[[], Record]) -> Iterator[Record]:
    """The record that `load` gives, to be changed: nobody else writes meanwhile. JournalTrouble: nothing was written."""
    try:
        with locked(folder.records / "writing", waits=True):
            record = load()
            yield record
            write_record(folder, record)
    except OSError as error:
        raise JournalTrouble(
            f"{folder.records} cannot be written: {error.strerror or error}."
        ) from error


def claim(folder: Folder, upgrade: str, *, last_seen: datetime | None) -> int:
    """The new fence: whoever held the upgrade before can write nothing more. `last_seen` is when that one last lived.

    LeaseLost when it is over or not there.
    """

    def load() -> Record:
        record = read_record(folder.record(upgrade))
        if record is None or record.is_over:
            raise LeaseLost(f"Upgrade {upgrade} is over.")
        return record

    with written(folder, load) as record:
        record.fence += 1
        away = moment(record.unheld_since) or last_seen
        entered = moment(record.limit_from) or moment(record.state_entered_at)
        if record.state in ACTIVE and away and entered and entered <= away <= datetime.now(UTC):
            record.limit_from = (entered + (datetime.now(UTC) - away)).isoformat()
        record.unheld_since = ""
    return record.fence
