"""Ordering an upgrade of a watched container."""

from __future__ import annotations

from django.db import transaction

from devices.drivers.references import Reference, parse_reference
from devices.errors import BadReference
from portal.core.actors import Actor
from portal.core.errors import Refused
from updates.models import Upgrade, WatchedContainer
from updates.services.container_orders import (
    FORCE,
    build_container_upgrade,
    plan_container,
)
from updates.services.ordering import locked_idle, place

UPGRADE = "updates.upgrade_container"


def upgrade_container(
    *,
    watched: WatchedContainer,
    version: str,
    force: bool = False,
    backup: bool = True,
    actor: Actor,
    reason: str,
) -> Upgrade:
    """The containers are being upgraded to that version: a tag of their repository, or a whole reference of the same one.

    TargetBusy, naming it, when an upgrade is active on the device or waits there. Refused for what cannot be an image of
    theirs. `force` upgrades also to the image that runs; that, and to do it without a backup, needs a permission of its own.
    """
    actor.require(UPGRADE)
    if force or not backup:
        actor.require(FORCE)
    if watched.is_portal:
        raise Refused("The portal is upgraded by its watchdog, not by its own workers.")
    image = image_for(watched, version)
    with transaction.atomic():
        locked_idle(watched.instance.device)
        plan = plan_container(watched, image=image, force=force, backup=backup)
        upgrade = build_container_upgrade(plan, watched=watched, actor=actor, reason=reason)
        return place(upgrade, actor=actor, action="container.upgrade")


def image_for(watched: WatchedContainer, version: str) -> str:
    """The reference that a version means for these containers. Refused when it is none, or one of another repository."""
    text = version.strip()
    try:
        ours = parse_reference(watched.image)
        wanted = _reference(ours, text)
    except BadReference as error:
        raise Refused(str(error)) from None
    if wanted.repository != ours.repository:
        raise Refused(
            f"{watched} comes from {ours.familiar_repository}; {wanted.familiar_repository} is another image."
        )
    return text if _is_whole(text) else f"{ours.familiar_repository}:{text}"


def _reference(ours: Reference, text: str) -> Reference:
    if _is_whole(text):
        return parse_reference(text)
    return parse_reference(f"{ours.familiar_repository}:{text}")


def _is_whole(text: str) -> bool:
    """Whether it names a repository, and not a tag alone."""
    return "/" in text or ":" in text or "@" in text
