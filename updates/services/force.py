"""Ending an upgrade that nothing else ends."""

from __future__ import annotations

from django.db import transaction

from portal.core import audit
from portal.core.actors import Actor
from updates import journal
from updates.models import Upgrade
from updates.services.portal_upgrades import force_cancel_portal_upgrade
from updates.services.reasons import given_reason


def force_cancel_upgrade(*, upgrade: Upgrade, actor: Actor, reason: str) -> Upgrade:
    """The upgrade is over, whatever its worker is doing: `cancelled` if nothing can have been changed yet, else `broken`.

    Nothing on the device is undone or cleaned up, and what waited for the device goes on. TooLate when it is over already.
    """
    actor.require("updates.force_cancel_upgrade")
    if upgrade.executor == Upgrade.Executor.WATCHDOG:
        return force_cancel_portal_upgrade(upgrade=upgrade, actor=actor, reason=reason)
    why = given_reason(reason)
    state = upgrade.state
    with transaction.atomic():
        journal.force_end(str(upgrade.pk), by=actor.name)
        audit.record(
            actor=actor,
            action="upgrade.force_cancel",
            subject=upgrade,
            reason=why,
            data={"state": state},
        )
    upgrade.refresh_from_db()
    return upgrade
