"""Update control maps: how a device is told to wait before it commits (Mender client 3.4; later ones know none)."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from django.db import transaction

from devices.models import Device
from updates import journal
from updates.errors import NotOffered
from updates.machine import ACTIVE, ROLLBACK_STATES
from updates.models import Upgrade
from updates.recipes.hold import COMMIT_WANTED
from updates.services.pulled.offering import Offer
from updates.services.pulled.reporting import HOLDS
from updates.services.pulled.rows import ASKED_FOR, heard_now, locked_offered, offered

ControlMap = dict[str, Any]

PAUSE: Final = {"action": "pause", "on_map_expire": "fail", "on_action_executed": "pause"}
"""Who has to look first has to: a device that cannot ask for so long goes back rather than commit by itself."""
GO_ON: Final = {"action": "continue"}


def control_map(*, device: Device, upgrade_id: UUID) -> ControlMap:
    """What the device is to do before its commit, as things stand now. NotOffered when it is to give the upgrade up."""
    row = offered(device).filter(pk=upgrade_id).only(*ASKED_FOR).first()
    is_on = row is not None and row.state in ACTIVE - ROLLBACK_STATES
    if row is None or not is_on or row.cancel_requested_at is not None:
        raise NotOffered("This device has no deployment with this id to go on with.")
    if heard_now(row):
        _keep_that_it_asked(device, upgrade_id)
    waits = bool(row.facts.get(HOLDS)) and not row.facts.get(COMMIT_WANTED)
    return _map(row, waits=waits)


def _keep_that_it_asked(device: Device, upgrade_id: UUID) -> None:
    with transaction.atomic():
        row = locked_offered(device, upgrade_id)
        journal.walk(row, facts=row.facts | heard_now(row))


def offered_map(offer: Offer) -> ControlMap:
    """The map that comes with an offer that holds: wait before the commit."""
    return _map(offer.upgrade, waits=True)


def _map(upgrade: Upgrade, *, waits: bool) -> ControlMap:
    return {
        "id": str(upgrade.pk),
        "priority": 0,
        "states": {"ArtifactCommit_Enter": PAUSE if waits else GO_ON},
    }
