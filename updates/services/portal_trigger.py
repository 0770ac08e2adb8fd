"""The trigger, as the portal writes it for its watchdog."""

from __future__ import annotations

from pathlib import Path

import structlog
from django.db import transaction

from devices.drivers.references import DEFAULT_TAG, parse_reference
from portal.core.errors import Refused
from updates.errors import TargetBusy
from updates.machine import State
from updates.models import Upgrade
from updates.services.portal_state import current_record, folder, known_records, watchdog_status
from updates.watchdog.durable import locked, move, read_whole, remove, write_whole
from updates.watchdog.folder import Folder
from updates.watchdog.trigger import LONGEST_REASON, MOST_BYTES, Trigger

log = structlog.get_logger(__name__)


def require_watchdog() -> None:
    """Nothing, or Refused with the reason why no watchdog would hear a trigger; TargetBusy while it has something in hand."""
    says = watchdog_status().says
    if says:
        raise Refused(says)
    current = current_record()
    if current is not None:
        said = current.state.replace("_", " ")
        raise TargetBusy(
            f"The portal is being upgraded to {current.to_version}: {said}.", holder=current.upgrade
        )
    if folder().trigger.exists():
        raise TargetBusy("A trigger waits for the watchdog already.", holder="")


def hand_over(upgrade: Upgrade) -> None:
    """The watchdog finds the order, unless that is over by now; what cannot be written now is written by `follow` later."""
    with transaction.atomic():
        if locked_row(upgrade).state == State.PENDING:
            _write(upgrade)


def locked_row(upgrade: Upgrade) -> Upgrade:
    """Its row, as it is now: until the transaction is over nobody hands it over, and nobody ends it."""
    return Upgrade.objects.select_for_update().get(pk=upgrade.pk)


def _write(upgrade: Upgrade) -> None:
    known = known_records()
    if any(one.upgrade == str(upgrade.pk) for one in known):
        return
    trigger = Trigger(
        upgrade=str(upgrade.pk),
        version=parse_reference(upgrade.plan["image"]).tag or DEFAULT_TAG,
        backup=upgrade.plan["backup"]["wanted"],
        force=upgrade.plan["force"],
        sequence=max((one.order_seq for one in known), default=0) + 1,
        requested_by=upgrade.requested_by_name,
        reason=upgrade.reason[:LONGEST_REASON],
        from_version=upgrade.from_version,
        plan=upgrade.plan,
    )
    place = folder()
    try:
        place.make()
        write_whole(place.trigger, trigger.as_bytes())
    except OSError as error:
        log.error("the trigger cannot be written", upgrade=str(upgrade.pk), error=str(error))


def withdraw(upgrade: Upgrade) -> bool:
    """Whether the watchdog had not taken the upgrade yet, or has died before it made anything of it; it never will."""
    place = folder()
    if _put_away(place, place.trigger, upgrade):
        return True
    try:
        with locked(place.holder, waits=False) as no_watchdog_lives:
            is_begun = place.record(str(upgrade.pk)).exists()
            return no_watchdog_lives and not is_begun and _put_away(place, place.taken, upgrade)
    except FileNotFoundError:
        return False


def is_in_hand(upgrade: Upgrade) -> bool:
    """Whether the watchdog has it, or finds it when it looks: in this order things move on."""
    place = folder()
    found = (_is_of(upgrade, place.trigger), _is_of(upgrade, place.taken))
    return any(found) or place.record(str(upgrade.pk)).exists()


def _put_away(place: Folder, path: Path, upgrade: Upgrade) -> bool:
    if not _is_of(upgrade, path):
        return False
    aside = place.journals / "withdrawn"
    try:
        move(path, aside)
    except FileNotFoundError:
        return False
    remove(aside)
    return True


def _is_of(upgrade: Upgrade, path: Path) -> bool:
    try:
        content = read_whole(path, most_bytes=MOST_BYTES)
        return content is not None and Trigger.read(content, otherwise="").upgrade == str(
            upgrade.pk
        )
    except ValueError:
        return False
