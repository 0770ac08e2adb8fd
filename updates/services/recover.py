"""Putting back to work what should be running and is not: after an emptied Redis, a dead worker, a restart."""

from __future__ import annotations

import structlog

from portal.core import clock
from updates import dispatch
from updates.lease import claimable
from updates.machine import ACTIVE
from updates.models import Check, Upgrade
from updates.services.waiting import ready

log = structlog.get_logger(__name__)

AT_ONCE = 1000


def recover() -> list[Upgrade]:
    """Every upgrade that nobody holds and whose turn it is has a job on the queue: those that had none before.

    Safe at any time and from any number of places: a job too many finds the upgrade held and goes.
    """
    now = clock.now()
    dropped = claimable(now).filter(state__in=ACTIVE).order_by("created_at")[:AT_ONCE]
    due = ready().filter(pk__in=claimable(now)).order_by("created_at")[:AT_ONCE]
    known = dispatch.queued()
    missing = [row for row in (*dropped, *due) if dispatch.job_id(row) not in known]
    dispatch.start_upgrades(missing)
    for upgrade in missing:
        log.info("recovered", upgrade=str(upgrade.pk), state=upgrade.state)
    checks = Check.objects.filter(verdict=Check.Verdict.WAITING)[:AT_ONCE]
    dispatch.start_checks(row for row in checks if dispatch.check_job_id(row) not in known)
    return missing
