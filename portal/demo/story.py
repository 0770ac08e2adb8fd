"""Telling the demo's history, so that it stands in the database as if it had happened then."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db import transaction

from devices.models import Device
from portal.core import audit, clock
from portal.core.actors import PORTAL
from portal.core.errors import Refused
from portal.core.models import AuditEvent
from portal.demo.chapters import CHAPTERS, Chapter
from portal.demo.people import PEOPLE

ACTION = "demo.chapter"


def tell() -> Iterator[str]:
    """Everything that the demo lacks has happened; gives the name of each chapter that was told now.

    Refused on a portal that has devices of its own.
    """
    told = set(AuditEvent.objects.filter(action=ACTION).values_list("reason", flat=True))
    if not told and Device.objects.exclude(name="localhost").exists():
        raise Refused("This portal has devices of its own: the demo is for an empty one.")
    today = clock.now().replace(minute=0, second=0, microsecond=0)
    for chapter in CHAPTERS:
        if chapter.name not in told:
            _tell(chapter, today)
            yield chapter.name


def _tell(chapter: Chapter, today: datetime) -> None:
    """In one transaction, so that no worker sees an order before it was carried out here, at its own time."""
    moment = (today - timedelta(days=chapter.days_ago)).replace(hour=chapter.hour, minute=12)
    with transaction.atomic(), clock.started_at(moment):
        chapter.tell()
        subject = User.objects.get(username=next(iter(PEOPLE)))
        audit.record(actor=PORTAL, action=ACTION, subject=subject, reason=chapter.name)
