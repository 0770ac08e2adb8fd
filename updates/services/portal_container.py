"""The portal as one of the containers that it looks after, and how it wants to be upgraded."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any, Final

from django.conf import settings
from django.db import connection, transaction

from devices.services import register_localhost
from portal.core.actors import PORTAL
from updates.models import Instance, Module, WatchedContainer
from updates.services.container_orders import plan_container
from updates.services.portal_state import folder
from updates.watchdog.dumps import postgres_dump
from updates.watchdog.durable import read_whole, write_whole
from updates.watchdog.trigger import MOST_BYTES

NAME: Final = "fleetwright"
STOP_SECONDS: Final = 60


def the_portal() -> WatchedContainer | None:
    """The portal as it is on record; None where it was never told to look after itself."""
    found = WatchedContainer.objects.filter(is_portal=True)
    return found.select_related("instance__device", "instance__module").first()


def looks_for_versions() -> bool:
    """Whether it is known which registry would have newer versions of the portal, and they are wanted."""
    return not settings.VERSION_CHECK_DISABLED and settings.IMAGE_NAME != settings.UNPUBLISHED


def know_portal() -> WatchedContainer:
    """The portal is on record, with the version that runs now. Safe to call again."""
    with transaction.atomic():
        watched = the_portal() or _first_known()
        if watched.dumps != _dumps():
            watched.dumps = _dumps()
            watched.save(update_fields=["dumps"])
        if watched.instance.version != settings.VERSION:
            watched.instance.version = settings.VERSION
            watched.instance.save(update_fields=["version"])
        if not settings.AUTO_UPGRADE_ENABLED:
            _follow_image(watched)
    return watched


def _follow_image(watched: WatchedContainer) -> None:
    """Somebody else upgrades it: what runs now is what newer versions are looked for of, at once."""
    image = f"{settings.IMAGE_NAME}:{settings.VERSION}"
    if watched.image != image:
        watched.image, watched.digest, watched.image_id = image, "", ""
        watched.newest, watched.asked_at = "", None
        watched.save(update_fields=["image", "digest", "image_id", "newest", "asked_at"])


def _first_known() -> WatchedContainer:
    device = register_localhost(root=settings.LOCALHOST_ROOT, device_type="localhost", actor=PORTAL)
    module, _ = Module.objects.get_or_create(name=NAME, defaults={"source": settings.IMAGE_NAME})
    instance, _ = Instance.objects.get_or_create(
        name=NAME, defaults={"module": module, "device": device, "version": settings.VERSION}
    )
    return WatchedContainer.objects.create(
        instance=instance,
        image=f"{settings.IMAGE_NAME}:{settings.VERSION}",
        containers=[settings.CONTAINER_NAME],
        is_portal=True,
        backup_dir=str(folder().backups),
        stop_seconds=STOP_SECONDS,
    )


def leave_word(watched: WatchedContainer) -> None:
    """The watchdog can upgrade the portal though it does not run: how it wants that is written down."""
    plan = plan_container(watched, image=f"{settings.IMAGE_NAME}:latest").as_json()
    content = json.dumps(plan | {"upgrade": ""}).encode()
    place = folder()
    place.make()
    if read_whole(place.template, most_bytes=MOST_BYTES) != content:
        write_whole(place.template, content)


def _dumps() -> list[dict[str, Any]]:
    """A database server's dump. SQLite's file lies in the volume, and is copied with it."""
    if connection.vendor != "postgresql":
        return []
    said = connection.settings_dict
    dump = postgres_dump(str(said["HOST"]), user=str(said["USER"]), name=str(said["NAME"]))
    return [asdict(dump)]
