"""The trigger, as the portal writes it for its watchdog."""

from __future__ import annotations

import structlog

from devices.drivers.references import DEFAULT_TAG, parse_reference
from portal.core.errors import Refused
from updates.errors import TargetBusy
from updates.models import Upgrade
from updates.services.portal_state import current_record, folder, known_records, watchdog_status
from updates.watchdog.durable import move, remove, write_whole
from updates.watchdog.trigger import LONGEST_REASON, BadTrigger, Trigger

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
    """The watchdog finds the order; what cannot be written now is written by `follow` later."""
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
    """Whether the watchdog had not taken the upgrade yet, and never will."""
    place = folder()
    try:
        if Trigger.read(place.trigger.read_bytes(), otherwise="").upgrade != str(upgrade.pk):
            return False
        aside = place.journals / "withdrawn"
        move(place.trigger, aside)
        remove(aside)
    except (FileNotFoundError, BadTrigger):
        return False
    return True
