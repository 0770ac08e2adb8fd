"""What devices that pull say of themselves, while they ask."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

import structlog
from django.conf import settings
from django.db import transaction

from devices.inventory import Inventory, check_count
from devices.models import (
    UNKNOWN_TYPE,
    Device,
    DeviceIdentity,
    InstalledRecord,
    installed_name,
    is_device_type,
)
from portal.core import clock

TYPE: Final = "device_type"
INSTALLED: Final = "artifact_name"
REFUSED_AGAIN: Final = timedelta(hours=1)
"""The same refusal is news once in this time: devices ask again every few seconds."""
LONGEST_WHY: Final = 300

log = structlog.get_logger(__name__)


def heard_from(device: Device, *, provides: Mapping[str, str] | None = None) -> None:
    """The device was heard of just now, and has installed what it says: `provides`, with its type in it or not.

    `last_seen` is no older than `settings.LAST_SEEN_SECONDS`; when the artifact's name is another than before, it is on
    record. If nothing of this is news, the database is not asked.
    """
    news: dict[str, Any] = {}
    if provides is not None:
        news = _news_of(device, provides)
    _keep(device, news)


def report_inventory(device: Device, *, said: Inventory, replaces: bool) -> None:
    """What the device reported of itself is `said`, over its identity; without `replaces`, also over what it reported before.

    Unreadable if that would be too much. Its type and the installed artifact are as it says here, if it says so.
    """
    reported = {
        **device.identity.id_data,
        **({} if replaces else device.reported),
        **said,
    }
    check_count(len(reported))
    named = {key: str(said[key]) for key in (TYPE, INSTALLED) if isinstance(said.get(key), str)}
    news = _news_of(device, {**device.provides, **named}) if named else {}
    if reported != device.reported:
        news["reported"] = reported
    _keep(device, news)


def note_refused(device: Device, *, what: DeviceIdentity.Asked, why: str) -> None:
    """The device was heard of, and what it sent was refused: that is on its page, and in the log, if it is news."""
    heard_from(device)
    identity, why, now = device.identity, why[:LONGEST_WHY], clock.now()
    is_same = (identity.refused_what, identity.refused_why) == (what, why)
    quiet = REFUSED_AGAIN if is_same else timedelta(seconds=settings.LAST_SEEN_SECONDS)
    if identity.refused_at is not None and now - identity.refused_at < quiet:
        return
    mine = DeviceIdentity.objects.filter(pk=identity.pk)
    mine.update(refused_at=now, refused_what=what, refused_why=why)
    log.warning("device_refused", device=device.name, what=what.value, why=why)


def note_taken(device: Device, *, what: DeviceIdentity.Asked) -> None:
    """Nothing of this kind stands as refused. If nothing did, the database is not asked."""
    if device.identity.refused_what == what:
        mine = DeviceIdentity.objects.filter(pk=device.identity.pk, refused_what=what)
        mine.update(refused_at=None, refused_what="", refused_why="")


def _news_of(device: Device, provides: Mapping[str, str]) -> dict[str, Any]:
    """The columns that would change, if this is what is installed. A type that no artifact can be for is none."""
    news: dict[str, Any] = {}
    kind = provides.get(TYPE) or device.device_type
    kind = kind if is_device_type(kind) else UNKNOWN_TYPE
    if kind != device.device_type:
        news[TYPE] = kind
    installed = {key: value for key, value in provides.items() if key != TYPE}
    if INSTALLED in installed:
        installed[INSTALLED] = installed_name(installed[INSTALLED])
    if installed != device.provides:
        news["provides"] = installed
    return news


def _keep(device: Device, news: dict[str, Any]) -> None:
    now = clock.now()
    due = timedelta(seconds=settings.LAST_SEEN_SECONDS)
    if not news and device.last_seen is not None and now - device.last_seen < due:
        return
    before = device.artifact_name
    for column, value in {**news, "last_seen": now}.items():
        setattr(device, column, value)
    with transaction.atomic():
        Device.objects.filter(pk=device.pk).update(**news, last_seen=now)
        if device.artifact_name != before:
            InstalledRecord.objects.create(
                device=device, artifact_name=device.artifact_name, at=now
            )
