"""What operators order for a watched container, carried out by a worker in this process."""

from __future__ import annotations

from typing import Final

from portal.core.actors import PORTAL
from updates.jobs import run_container
from updates.machine import State
from updates.models import Upgrade, WatchedContainer
from updates.services.container_upgrades import upgrade_container
from updates.services.data_of import DataOf
from updates.services.upgrades import roll_back_upgrade

WHY: Final = "to see it happen"


def ordered(watched: WatchedContainer, version: str, **words: bool) -> Upgrade:
    """An upgrade of the containers to that version, that waits for a worker."""
    watched.refresh_from_db()
    return upgrade_container(watched=watched, version=version, actor=PORTAL, reason=WHY, **words)


def carried_out(upgrade: Upgrade) -> Upgrade:
    """The upgrade, when a worker has taken it as far as it went."""
    run_container(str(upgrade.pk))
    upgrade.refresh_from_db()
    return upgrade


def upgraded(watched: WatchedContainer, version: str, **words: bool) -> Upgrade:
    """The same, ordered and over."""
    done = carried_out(ordered(watched, version, **words))
    assert done.state == State.FINISHED
    return done


def taken_back(upgrade: Upgrade, data: DataOf | None = None) -> Upgrade:
    """A person's rollback of the upgrade, that is over; with the data of before, unless there was no backup or `data` says so."""
    data = data or (DataOf.BEFORE if upgrade.facts.get("backup") else None)
    return carried_out(roll_back_upgrade(upgrade=upgrade, data=data, actor=PORTAL, reason=WHY))
