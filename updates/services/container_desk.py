"""Upgrading what is watched, whoever carries it out: a worker, or the portal's own watchdog."""

from __future__ import annotations

from typing import Final

from portal.core.actors import Actor
from portal.core.errors import Refused
from updates.formats.image_versions import read_version, written_as
from updates.models import Upgrade, WatchedContainer
from updates.services.container_upgrades import upgrade_container
from updates.services.module_choice import image_of, unfinished_upgrades, version_of
from updates.services.portal_container import the_portal
from updates.services.portal_upgrades import upgrade_portal
from updates.services.setup_report import why_not_set_up
from updates.services.watching import require_watched

LATEST: Final = "latest"


def order_upgrade(
    *,
    watched: WatchedContainer,
    version: str = LATEST,
    force: bool = False,
    backup: bool = True,
    actor: Actor,
    reason: str,
) -> Upgrade:
    """An upgrade to that version is on its way. Refused where it cannot be; TargetBusy, naming it, while another one is."""
    require_watched(watched)
    wanted = version_meant(watched, version)
    if watched.is_portal:
        return upgrade_portal(
            version=wanted, force=force, backup=backup, actor=actor, reason=reason
        )
    return upgrade_container(
        watched=watched, version=wanted, force=force, backup=backup, actor=actor, reason=reason
    )


def find_watched(name: str) -> WatchedContainer | None:
    """The watched container of that name; without a name the portal itself, or None where it does not look after itself.

    Refused when there is none of that name.
    """
    if not name:
        return the_portal()
    rows = WatchedContainer.objects.select_related("instance__device", "instance__module")
    found = rows.filter(instance__name=name, unwatched_at=None).first()
    if found is None:
        raise Refused(f"There is no watched container {name!r}.")
    return found


def version_meant(watched: WatchedContainer, text: str) -> str:
    """The tag (or whole reference) that somebody means. `latest` is the newest version that is known.

    Where none is known, and where what runs follows a tag that floats, it is that tag, or the one of this name. A version may be
    given with or without a `v`: it is written as the registry has it.
    """
    text = text.strip() or LATEST
    running = version_of(image_of(watched.image))
    if text == LATEST:
        if watched.newest:
            return watched.newest
        return running if read_version(running) is None else LATEST
    if text == watched.newest or any(mark in text for mark in "/:@"):
        return text
    if watched.newest and written_as(watched.newest, text) == watched.newest:
        return watched.newest
    return written_as(running, text)


def why_not_upgradable(watched: WatchedContainer) -> str:
    """Empty when an upgrade could be ordered now, else the sentence why not."""
    try:
        require_watched(watched)
    except Refused as error:
        return str(error)
    busy = unfinished_upgrades([watched.instance]).get(watched.instance_id)
    if busy is not None:
        return f"{busy} is {busy.state.replace('_', ' ')}."
    return why_not_set_up() if watched.is_portal else ""
