"""The portal's side of its own upgrade while that goes on: it takes the watchdog's files into the history, and drains."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import structlog
from django.conf import settings
from django.db import DatabaseError, IntegrityError, transaction

from portal.core import clock
from updates import journal
from updates.course import OVERDUE
from updates.errors import TooLate
from updates.machine import CANCELLABLE, Outcome, State
from updates.models import Upgrade, WatchedContainer
from updates.plan import Kind
from updates.runner import Failure
from updates.services.portal_backups import follow_backup
from updates.services.portal_container import know_portal, leave_word, looks_for_versions
from updates.services.portal_state import closed_by, folder, known_records
from updates.services.portal_trigger import hand_over
from updates.services.portal_upgrades import ended, is_overdue
from updates.watchdog.durable import write_whole
from updates.watchdog.journal import JournalTrouble
from updates.watchdog.record import Record, moment

log = structlog.get_logger(__name__)

REQUESTS_SECONDS: Final = 2.0
"""What was being answered when the portal closed has this long."""


def recover_portal(_known: object = None) -> None:
    """The portal is on record, so that its versions are looked for; a watchdog's word and what it wrote down are in place."""
    if not (settings.AUTO_UPGRADE_ENABLED or looks_for_versions()):
        return
    watched = know_portal()
    if not settings.AUTO_UPGRADE_ENABLED:
        return
    try:
        leave_word(watched)
    except OSError as error:
        log.error("no word is left for the watchdog", error=str(error))
    follow()


def follow() -> None:
    """What the watchdog wrote down is in the history, once; what is overdue is ended; the watchdog knows what is drained."""
    if not settings.AUTO_UPGRADE_ENABLED:
        return
    for record in known_records():
        _copy(record)
    follow_backup()
    _say_drained()
    mine = Upgrade.objects.filter(executor=Upgrade.Executor.WATCHDOG)
    for upgrade in mine.exclude(state=State.FINISHED):
        if is_overdue(upgrade):
            _end_overdue(upgrade)
        elif upgrade.state == State.PENDING and _is_lost():
            hand_over(upgrade)


def _copy(record: Record) -> None:
    try:
        with transaction.atomic():
            _open(record)
            journal.copy_in(record)
    except IntegrityError:
        # Another upgrade is active on this very device: the history catches up when that is over.
        log.info("the portal's upgrade is taken in later", upgrade=record.upgrade)
    except DatabaseError:
        log.exception("what the watchdog wrote cannot be taken in", upgrade=record.upgrade)


def _open(record: Record) -> None:
    """There is a row for it: a trigger may be written by hand, and a backup that is put back may be older than the order."""
    if Upgrade.objects.filter(pk=record.upgrade).exists():
        return
    watched: WatchedContainer = know_portal()
    ordered = datetime.fromisoformat(record.created_at)
    journal.open_upgrades(
        [
            Upgrade(
                id=record.upgrade,
                kind=Kind.CONTAINER,
                executor=Upgrade.Executor.WATCHDOG,
                device=watched.instance.device,
                instance=watched.instance,
                plan=record.plan,
                from_version=record.from_version or watched.instance.version,
                to_version=record.to_version,
                requested_by_name=record.requested_by_name,
                reason=record.reason,
                created_at=ordered,
                state_entered_at=ordered,
            )
        ]
    )


def _say_drained() -> None:
    closed = closed_by()
    if closed is None or closed.state != State.INSTALLING:
        return
    since = moment(closed.state_entered_at)
    now = clock.now()
    if since is None or now - since < timedelta(seconds=REQUESTS_SECONDS):
        return
    if Upgrade.objects.filter(lease_until__gt=now).exclude(state=State.FINISHED).exists():
        return
    _tell(folder().drained, json.dumps({"upgrade": closed.upgrade}).encode())


def _tell(path: Path, content: bytes) -> None:
    """The watchdog reads it there; what cannot be written now is written the next time."""
    try:
        write_whole(path, content)
    except OSError as error:
        log.error("the watchdog cannot be told", file=path.name, error=str(error))


def _is_lost() -> bool:
    place = folder()
    return not (place.trigger.exists() or place.taken.exists())


def _end_overdue(upgrade: Upgrade) -> None:
    """Ended if no watchdog lives that has it in hand; else that one is asked to, as long as it can."""
    minutes = settings.PORTAL_UPGRADE_LIMIT_SECONDS // 60
    said = upgrade.state.replace("_", " ")
    failure = Failure(
        code=OVERDUE,
        sentence=f"It was not over after {minutes} minutes, and stood at {said}: it was ended.",
    )
    try:
        if ended(upgrade, failure, outcome=Outcome.FAILED):
            log.warning("overdue, and ended", upgrade=str(upgrade.pk), state=upgrade.state)
        elif State(upgrade.state) in CANCELLABLE and upgrade.cancel_requested_at is None:
            _tell(folder().cancel(str(upgrade.pk)), b"The time limit")
    except TooLate:
        return
    except (OSError, JournalTrouble) as error:
        log.error("it cannot be ended", upgrade=str(upgrade.pk), error=str(error))
