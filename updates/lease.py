"""Who holds an upgrade. One holder at a time: it renews its lease, or another worker claims the upgrade and goes on.

The fence is the number of the holder. Every write of a holder filters on it, and devices refuse lower numbers than they have
seen: a worker that wakes up after its lease was claimed can neither write nor act any more.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from types import TracebackType
from typing import Self

import structlog
from django.conf import settings
from django.db import DatabaseError, connection, models, transaction
from django.db.models import F, Q

from portal.core import clock
from updates.machine import ACTIVE, State
from updates.models import Upgrade

log = structlog.get_logger(__name__)

OVERTIME_SECONDS = 120
"""How long after its step's time limit, and the time that the step has to end then, a holder still renews. Then it counts as
hung, and somebody else may claim."""


def claimable(now: datetime) -> models.QuerySet[Upgrade]:
    """Upgrades for workers that nobody holds."""
    return Upgrade.objects.filter(
        Q(lease_until=None) | Q(lease_until__lt=now), executor=Upgrade.Executor.WORKER
    ).exclude(state=State.FINISHED)


def claim(upgrade_id: str, *, worker: str) -> int | None:
    """The upgrade is `worker`'s for LEASE_SECONDS: the new fence. None: somebody else holds it, or it is finished."""
    now = clock.now()
    with transaction.atomic():  # the row stays ours between the write and the read
        row = claimable(now).select_for_update().filter(pk=upgrade_id).first()
        if row is None:
            return None
        claimed = Upgrade.objects.filter(pk=upgrade_id, fence=row.fence).update(
            fence=F("fence") + 1,
            worker=worker,
            lease_until=now + timedelta(seconds=settings.LEASE_SECONDS),
            unheld_since=None,
            limit_from=_limit_from(row, now),
        )
        return row.fence + 1 if claimed else None


def release(upgrade_id: str, *, fence: int) -> bool:
    """Anybody may claim the upgrade now. False: it was not ours any more."""
    mine = Upgrade.objects.filter(pk=upgrade_id, fence=fence)
    return bool(mine.update(lease_until=None, unheld_since=clock.now()))


def _limit_from(row: Upgrade, now: datetime) -> datetime | None:
    """Later by the time in which nobody held the upgrade: the portal may have been off longer than a step may take."""
    since = row.unheld_since or row.lease_until
    if row.state not in ACTIVE or since is None or since >= now:
        return row.limit_from
    return (row.limit_from or row.state_entered_at) + (now - since)


class Heartbeat:
    """Renews a lease from a thread of its own, as long as the step in hand is within its time limit and the lease is ours."""

    def __init__(self, upgrade_id: str, *, fence: int, seconds_left: Callable[[], float]) -> None:
        self._upgrade_id = upgrade_id
        self._fence = fence
        self._seconds_left = seconds_left
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopped.set()
        self._thread.join()

    def _beat(self) -> None:
        try:
            overtime = settings.KILL_AFTER_SECONDS + OVERTIME_SECONDS
            while not self._stopped.wait(settings.HEARTBEAT_SECONDS):
                if self._seconds_left() < -overtime:
                    log.error("step hangs past its limit", upgrade=self._upgrade_id)
                    return
                try:
                    if not self._beat_once():
                        return
                except DatabaseError:
                    log.warning("heartbeat missed", upgrade=self._upgrade_id, exc_info=True)
        finally:
            connection.close()

    def _beat_once(self) -> bool:
        until = clock.now() + timedelta(seconds=settings.LEASE_SECONDS)
        mine = Upgrade.objects.filter(pk=self._upgrade_id, fence=self._fence)
        return bool(mine.update(lease_until=until))
