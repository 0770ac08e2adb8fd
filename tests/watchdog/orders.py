"""The portal's own upgrade, taken by a watchdog and brought on, as its tests begin with it."""

from __future__ import annotations

from tests.environment.waiting import wait_until
from tests.watchdog.records import held
from updates.machine import Event, State
from updates.models import UpgradeEvent
from updates.services.portal_state import watchdog_status
from updates.watchdog.folder import Folder
from updates.watchdog.heartbeat import Heart
from updates.watchdog.journal import FileJournal
from updates.watchdog.orders import ordered
from updates.watchdog.record import write_record
from updates.watchdog.trigger import Inbox

WHY = "a test"


def take(folder: Folder) -> FileJournal:
    """The watchdog has taken the trigger, and holds the upgrade."""
    trigger = Inbox(folder).take()
    assert trigger is not None
    record = ordered(trigger, plan=trigger.plan or {})
    write_record(folder, record)
    Inbox(folder).done()
    return held(folder, record.upgrade)


def brought_to(state: State, book: FileJournal) -> FileJournal:
    while book.state is not state:
        book.take(Event.DONE)
    return book


def told(upgrade: str) -> list[str]:
    rows = UpgradeEvent.objects.filter(upgrade_id=upgrade).order_by("seq")
    assert [row.seq for row in rows] == [*range(1, len(rows) + 1)]
    return [row.to_state or row.text for row in rows]


def dies(folder: Folder) -> None:
    """A watchdog has lived, and is known to live no longer."""
    with Heart(folder, interval=0.001, version="1"):
        pass
    wait_until(lambda: not watchdog_status().is_alive, seconds=1, what="the watchdog's death")
