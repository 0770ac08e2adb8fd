"""Upgrading the portal itself: the order is the portal's, the work its watchdog's."""

from __future__ import annotations

from datetime import timedelta

import structlog
from django.conf import settings
from django.db import transaction

from portal.core import audit, clock
from portal.core.actors import Actor
from portal.core.errors import Refused
from updates import journal
from updates.course import FORCED
from updates.errors import TooLate
from updates.machine import CANCELLABLE, Outcome, State
from updates.models import Upgrade
from updates.runner import Failure
from updates.services.container_orders import FORCE, PORTAL, build_container_upgrade, plan_container
from updates.services.ordering import locked_idle, place
from updates.services.portal_container import know_portal
from updates.services.portal_state import current_record, folder
from updates.services.portal_trigger import is_in_hand, locked_row, require_watchdog, withdraw
from updates.services.reasons import given_reason
from updates.watchdog.drain import CLOSED
from updates.watchdog.durable import write_whole
from updates.watchdog.record import read_record
from updates.watchdog.trigger import BadTrigger, checked_version

log = structlog.get_logger(__name__)


def upgrade_portal(
    *, version: str, force: bool = False, backup: bool = True, actor: Actor, reason: str
) -> Upgrade:
    """The portal's upgrade to that version ("latest", "2.14.0") is ordered, and told to the watchdog after the commit.

    Refused with the reason when no watchdog lives, TargetBusy while another upgrade of the portal is not over.
    """
    actor.require(PORTAL)
    if force or not backup:
        actor.require(FORCE)
    _require_version(version)
    require_watchdog()
    with transaction.atomic():
        watched = know_portal()
        locked_idle(watched.instance.device)
        image = f"{settings.IMAGE_NAME}:{version}"
        plan = plan_container(watched, image=image, force=force, backup=backup)
        upgrade = build_container_upgrade(plan, watched=watched, actor=actor, reason=reason)
        return place(upgrade, actor=actor, action="portal.upgrade")


def cancel_portal_upgrade(*, upgrade: Upgrade, actor: Actor, reason: str = "") -> Upgrade:
    """The watchdog hears that it is to end, and goes back if it had begun; what is not in its hands is over at once.

    TooLate once the change is being made permanent, or put back.
    """
    actor.require("updates.cancel_upgrade")
    with transaction.atomic():
        audit.record(actor=actor, action="upgrade.cancel", subject=upgrade, reason=reason)
        locked_row(upgrade)
        if withdraw(upgrade):
            journal.request_cancel(str(upgrade.pk), by=actor.name)
        elif is_in_hand(upgrade):
            _ask_for_cancel(upgrade, by=actor.name)
        else:
            journal.request_cancel(str(upgrade.pk), by=actor.name)
            _tell_all_the_same(upgrade, by=actor.name)
    upgrade.refresh_from_db()
    return upgrade


def force_cancel_portal_upgrade(*, upgrade: Upgrade, actor: Actor, reason: str) -> Upgrade:
    """The upgrade is over: its trigger is gone, its row and its file are ended.

    Refused while a watchdog that lives has stopped the portal's containers: it is putting them back. One that lives and has not
    done that yet is asked to end, which it does within seconds.
    """
    actor.require("updates.force_cancel_upgrade")
    why = given_reason(reason)
    if upgrade.state == State.FINISHED:
        raise TooLate("It is over already.")
    with transaction.atomic():
        audit.record(
            actor=actor, action="upgrade.force_cancel", subject=upgrade, reason=why,
            data={"state": upgrade.state},
        )  # fmt: skip
        said = upgrade.state.replace("_", " ")
        failure = Failure(code=FORCED, sentence=f"{actor.name} ended it by force in {said}.")
        if not ended(upgrade, failure, outcome=Outcome.CANCELLED):
            _refuse_half_way(upgrade)
            _ask_for_cancel(upgrade, by=actor.name)
    upgrade.refresh_from_db()
    return upgrade


def ended(upgrade: Upgrade, failure: Failure, *, outcome: Outcome) -> bool:
    """Whether the upgrade is over, in its row and in its file: not while a watchdog lives that has taken it.

    `outcome` is for one that cannot have changed anything yet.
    """
    files, pk = folder(), str(upgrade.pk)
    with transaction.atomic():
        locked_row(upgrade)
        is_withdrawn = withdraw(upgrade)
        if is_withdrawn or journal.end_file(files, pk, failure, outcome=outcome):
            record = None if is_withdrawn else read_record(files.record(pk))
        elif files.record(pk).exists() or files.taken.exists():
            return False
        else:
            record = None
        if record is not None:
            journal.copy_in(record)
        else:
            journal.end_row(pk, failure, outcome=outcome)
    return True


def is_overdue(upgrade: Upgrade) -> bool:
    """Whether it should have been over by now."""
    limit = timedelta(seconds=settings.PORTAL_UPGRADE_LIMIT_SECONDS)
    return (upgrade.started_at or upgrade.created_at) + limit < clock.now()


def _ask_for_cancel(upgrade: Upgrade, *, by: str) -> None:
    record = read_record(folder().record(str(upgrade.pk)))
    if record is not None and record.is_over:
        raise TooLate("It is too late to cancel: the watchdog has just ended it.")
    if record is not None and State(record.state) not in CANCELLABLE:
        said = record.state.replace("_", " ")
        raise TooLate(f"It is too late to cancel: the upgrade is {said}.")
    write_whole(folder().cancel(str(upgrade.pk)), by.encode())


def _tell_all_the_same(upgrade: Upgrade, *, by: str) -> None:
    """A watchdog that has it in hand against all appearance ends it."""
    try:
        write_whole(folder().cancel(str(upgrade.pk)), by.encode())
    except OSError as error:
        log.error("the watchdog cannot be told", upgrade=str(upgrade.pk), error=str(error))


def _refuse_half_way(upgrade: Upgrade) -> None:
    current = current_record()
    if current and current.upgrade == str(upgrade.pk) and State(current.state) in CLOSED:
        raise Refused(
            "The watchdog lives, and has stopped the portal's containers: it ends this by itself, or puts back what was there. "
            "If it hangs, restart its container: it goes on where it was."
        )


def _require_version(version: str) -> None:
    try:
        checked_version(version)
    except BadTrigger as error:
        raise Refused(str(error)) from None
