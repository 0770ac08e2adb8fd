"""An upgrade as its file holds it: what the database's row would say, and its history."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Self
from uuid import UUID

import structlog

from updates.machine import Outcome, State
from updates.output import storable
from updates.watchdog.durable import read_whole, write_whole
from updates.watchdog.folder import Folder
from updates.watchdog.kinds import require_kinds

log = structlog.get_logger(__name__)

MOST_BYTES: Final = 32 * 2**20
FORMAT: Final = 1

ARROW: Final = "arrow"
OUTPUT: Final = "output"
NOTE: Final = "note"
KINDS: Final = (ARROW, OUTPUT, NOTE)
LONGEST_WORD: Final = 30
MOMENTS: Final = (
    "created_at", "state_entered_at", "limit_from", "started_at", "finished_at", "unheld_since",
    "cancel_requested_at",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Told:
    """One event of the history, as `UpgradeEvent` has it. `at` is ISO 8601 in UTC."""

    seq: int
    at: str
    kind: str
    from_state: str = ""
    event: str = ""
    to_state: str = ""
    call: str = ""
    text: str = ""
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Record:
    """One upgrade. The names are those of `Upgrade`, which the portal copies it into; times are ISO 8601 in UTC, or empty.

    `order_seq` is the number of the trigger, 0 for one that was written by hand.
    """

    upgrade: str
    plan: dict[str, Any]
    order_seq: int
    requested_by_name: str
    reason: str
    from_version: str
    to_version: str
    created_at: str
    state_entered_at: str
    events: list[Told]
    state: str = State.PENDING.value
    state_seq: int = 1
    outcome: str = ""
    unchanged: bool = False
    progress: int = 0
    error: str = ""
    error_code: str = ""
    error_state: str = ""
    warning: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
    fence: int = 0
    repeats: int = 0
    limit_from: str = ""
    unheld_since: str = ""
    started_at: str = ""
    finished_at: str = ""
    cancel_requested_at: str = ""
    cancel_requested_by: str = ""
    format: int = FORMAT

    @property
    def is_over(self) -> bool:
        return self.state == State.FINISHED

    @property
    def last_seq(self) -> int:
        return self.events[-1].seq if self.events else 0

    def append(self, *, kind: str, text: str = "", **said: Any) -> None:  # noqa: ANN401 - an event's columns
        """The newest event, under the next number."""
        seq, text = self.last_seq + 1, storable(text)
        self.events.append(Told(seq=seq, at=iso_now(), kind=kind, text=text, **said))

    def require_sound(self) -> None:
        """Nothing, or ValueError or TypeError: a database would not take it, or it does not say what it means."""
        require_kinds(self, Record)
        if str(UUID(self.upgrade)) != self.upgrade:
            raise ValueError("its upgrade's id is not written as ids are")
        self.as_bytes()
        State(self.state)
        if self.outcome:
            Outcome(self.outcome)
        if [one.seq for one in self.events] != [*range(1, len(self.events) + 1)]:
            raise ValueError("its events are not numbered one after the other")
        for one in self.events:
            words = (one.from_state, one.event, one.to_state)
            if one.kind not in KINDS or max(map(len, words)) > LONGEST_WORD:
                raise ValueError(f"its event {one.seq} is none")
        times = [getattr(self, name) for name in MOMENTS] + [one.at for one in self.events]
        if any(when and datetime.fromisoformat(when).tzinfo is None for when in times):
            raise ValueError("it holds a time of which nobody knows the zone")

    def as_bytes(self) -> bytes:
        return json.dumps(asdict(self), ensure_ascii=False).encode()

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """The record that `as_bytes` wrote. ValueError with a sentence when it is none, or one of another version."""
        try:
            data = json.loads(content)
            if data.get("format") != FORMAT:
                raise ValueError(f"it has the format {data.get('format')!r}, not {FORMAT}")
            known = {one.name for one in fields(cls)}
            if unknown := set(data) - known:
                raise ValueError(f"it holds fields that are not known here: {sorted(unknown)}")
            record = cls(**{**data, "events": [Told(**one) for one in data["events"]]})
            record.require_sound()
        except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
            raise ValueError(f"The record of an upgrade cannot be read: {error}.") from None
        return record


def iso_now() -> str:
    return datetime.now(UTC).isoformat()


def moment(text: str) -> datetime | None:
    """The time that a record has written down."""
    return datetime.fromisoformat(text) if text else None


def read_record(path: Path) -> Record | None:
    """The record in this file; None when there is none. ValueError when it cannot be read."""
    content = read_whole(path, most_bytes=MOST_BYTES)
    return None if content is None else Record.from_bytes(content)


def begin_record(folder: Folder, record: Record) -> None:
    """The file holds the new record, and the portal saw it before: what it sees nothing of was never taken, to it.

    OSError: nothing was begun, and the trigger is there still.
    """
    if folder.own is not None:
        write_whole(folder.as_shown.record(record.upgrade), record.as_bytes())
    write_whole(folder.record(record.upgrade), record.as_bytes())


def write_record(folder: Folder, record: Record) -> None:
    """The file holds the record. OSError: it holds what it held before. The portal sees it, or will (`show_records`)."""
    write_whole(folder.record(record.upgrade), record.as_bytes())
    if folder.own is not None:
        _show(folder, record.upgrade)


def show_records(folder: Folder) -> None:
    """The portal sees each of the watchdog's records as it is, as far as DATA_DIR takes it."""
    for record in records(folder):
        _show(folder, record.upgrade)


def _show(folder: Folder, upgrade: str) -> None:
    """Who cannot show what is done does it all the same."""
    shown = folder.as_shown.record(upgrade)
    try:
        content = folder.record(upgrade).read_bytes()
        try:
            if read_whole(shown, most_bytes=MOST_BYTES) == content:
                return
        except (OSError, ValueError) as error:
            log.info("what the portal sees is not ours", upgrade=upgrade, why=str(error))
        write_whole(shown, content)
    except OSError as error:
        log.warning("the portal does not see how it goes", upgrade=upgrade, error=str(error))


def records(folder: Folder) -> Iterator[Record]:
    """All that can be read, the oldest order first."""
    found = []
    for path in folder.records.glob("*.json"):
        try:
            record = read_record(path)
        except (ValueError, OSError):
            continue
        if record is not None and path == folder.record(record.upgrade):
            found.append(record)
    yield from sorted(found, key=lambda one: (one.created_at, one.upgrade))


def unfinished(folder: Folder) -> Record | None:
    """The upgrade that is not over yet; None when there is none."""
    return next((record for record in records(folder) if not record.is_over), None)
