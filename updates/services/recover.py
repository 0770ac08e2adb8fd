"""Putting back to work what should be running and is not: after an emptied Redis, a dead worker, a restart."""

from __future__ import annotations

import structlog
from django.conf import settings
from django.db import transaction
from django.utils.module_loading import import_string

from devices.services.bulk import job_id, start, unfinished_orders
from portal.core import audit, clock
from portal.core.actors import Actor
from portal.core.errors import Refused
from updates import dispatch, journal
from updates.errors import TargetBusy
from updates.lease import claimable
from updates.machine import ACTIVE, State
from updates.models import Check, Upgrade
from updates.queries import does_not_rest
from updates.services import module_checks
from updates.services.module_checks import unfinished_module_checks
from updates.services.waiting import ready

log = structlog.get_logger(__name__)

AT_ONCE = 1000


def recover() -> list[Upgrade]:
    """Every upgrade that nobody holds and whose turn it is has a job on the queue: those that had none before.

    One that rests because a state script asked for another try later has its turn when that time has come.

    Safe at any time and from any number of places: a job too many finds the upgrade held and goes.
    """
    now = clock.now()
    dropped = claimable(now).filter(state__in=ACTIVE).filter(does_not_rest(now))
    dropped = dropped.order_by("created_at")[:AT_ONCE]
    due = ready().filter(pk__in=claimable(now)).order_by("created_at")[:AT_ONCE]
    known = dispatch.queued()
    missing = [row for row in (*dropped, *due) if dispatch.job_id(row) not in known]
    dispatch.start_upgrades(missing)
    for upgrade in missing:
        log.info("recovered", upgrade=str(upgrade.pk), state=upgrade.state)
    for order in unfinished_orders()[:AT_ONCE]:
        if job_id(order) not in known:
            start(order)
    checks = Check.objects.filter(verdict=Check.Verdict.WAITING)[:AT_ONCE]
    dispatch.start_checks(row for row in checks if dispatch.check_job_id(row) not in known)
    for look in unfinished_module_checks()[:AT_ONCE]:
        if module_checks.job_id(look) not in known:
            module_checks.start(look)
    for name in settings.RECOVERED:
        import_string(name)(known)
    return missing


def recover_upgrade(*, upgrade: Upgrade, actor: Actor) -> Upgrade:
    """The upgrade has a job on the queue, whatever the queue knew of it; a lease that ran out is gone.

    Conflict while a worker holds it, TargetBusy while it waits for another one, TooLate when it is over.
    """
    actor.require("updates.recover_upgrade")
    if upgrade.executor != Upgrade.Executor.WORKER:
        raise Refused(f"No worker carries it out: that is the {upgrade.executor}'s part.")
    with transaction.atomic():
        journal.put_back(str(upgrade.pk), by=actor.name)
        upgrade.refresh_from_db()
        ahead = journal.ahead_of(upgrade) if upgrade.state == State.PENDING else None
        if ahead is not None:
            raise TargetBusy(f"It waits for {ahead}, which has to end first.", holder=str(ahead.pk))
        audit.record(
            actor=actor, action="upgrade.recover", subject=upgrade, data={"state": upgrade.state}
        )
        dispatch.start_upgrades([upgrade])
    return upgrade
