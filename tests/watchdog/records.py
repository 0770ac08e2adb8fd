"""Records of upgrades, and journals that hold them, as a watchdog has them."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

from updates.watchdog.folder import Folder
from updates.watchdog.journal import FileJournal, claim
from updates.watchdog.record import ARROW, Record, iso_now, read_record, write_record

LIMITS = {"checking": 300.0, "downloading": 600.0}


def new_folder(place: Path) -> Folder:
    folder = Folder(place)
    folder.make()
    return folder


def new_record(folder: Folder, *, plan: dict[str, object] | None = None) -> Record:
    """A PENDING upgrade that was ordered just now."""
    now = iso_now()
    record = Record(
        upgrade=str(uuid4()),
        plan=plan or {},
        order_seq=1,
        requested_by_name="ann",
        reason="a test",
        from_version="1",
        to_version="2",
        created_at=now,
        state_entered_at=now,
        events=[],
    )
    record.append(kind=ARROW, event="ordered", to_state="pending", text="Ordered by ann: a test")
    write_record(folder, record)
    return record


def held(folder: Folder, upgrade: str, *, secrets: tuple[str, ...] = ()) -> FileJournal:
    """The journal of a watchdog that has just claimed the upgrade."""
    fence = claim(folder, upgrade, last_seen=None)
    return FileJournal(folder, upgrade, fence=fence, limits=LIMITS, secrets=lambda: secrets)


def stored(folder: Folder, upgrade: str) -> Record:
    record = read_record(folder.record(upgrade))
    assert record is not None
    return record
