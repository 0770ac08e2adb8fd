"""What becomes of a device that asks to be let in."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from devices.auth_request import AuthRequest
from devices.errors import NotLetIn
from devices.mender_auth import token_of
from devices.models import AuthSet, DeviceIdentity
from devices.services.enrolment import admit_preauthorised
from devices.services.pulled import heard_from
from portal.core import clock

MOST_KEYS: Final = 10
"""As many keys one identity may have: a device is flashed anew now and then, and whoever knows an identity may claim it."""

Status = AuthSet.Status


def let_in(asked: AuthRequest) -> str:
    """A token for the device, if its key is accepted or was preauthorised, which it is then no more: it is accepted.

    NotLetIn for everybody else. A key that is new waits for an operator from now on, unless too many do: then nothing is
    stored, and the device, which asks again by itself, waits outside. The limit may be passed by those who ask at once.
    """
    known = (
        AuthSet.objects.select_related("identity__device")
        .filter(identity__id_hash=asked.id_hash, key_hash=asked.key.hash)
        .first()
    )
    if known is None:
        _put_on_list(asked)
        raise NotLetIn
    _note_asked(known)
    if known.status == Status.PREAUTHORIZED:
        known = admit_preauthorised(known)
    device = known.identity.device if known and known.status == Status.ACCEPTED else None
    if known is None or device is None:
        raise NotLetIn
    heard_from(device)
    return token_of(known)


def _note_asked(auth_set: AuthSet) -> None:
    """When it asked last is known to `settings.LAST_SEEN_SECONDS`."""
    now = clock.now()
    since = now - timedelta(seconds=settings.LAST_SEEN_SECONDS)
    if auth_set.last_asked_at is not None and auth_set.last_asked_at > since:
        return
    first = auth_set.requested_at or now
    auth_set.requested_at, auth_set.last_asked_at = first, now
    AuthSet.objects.filter(pk=auth_set.pk).update(requested_at=first, last_asked_at=now)


def _put_on_list(asked: AuthRequest) -> None:
    """The key waits for an operator, if there is room."""
    now = clock.now()
    if _is_crowded(now):
        return
    try:
        with transaction.atomic():
            identity, _ = DeviceIdentity.objects.get_or_create(
                id_hash=asked.id_hash, defaults={"id_data": asked.id_data}
            )
            if identity.auth_sets.count() >= MOST_KEYS:
                return
            AuthSet.objects.create(
                identity=identity, public_key=asked.key.pem, key_hash=asked.key.hash,
                status=Status.PENDING, requested_at=now, last_asked_at=now,
            )  # fmt: skip
    except IntegrityError:
        return  # the same device asked twice at once: the other one is on the list


def _is_crowded(now: datetime) -> bool:
    """Whether no more may be stored: as many wait as may wait, or too many of them came within the last minute."""
    waiting = AuthSet.objects.filter(status=Status.PENDING)
    if _reaches(waiting, settings.PENDING_DEVICES_LIMIT):
        return True
    fresh = waiting.filter(requested_at__gt=now - timedelta(minutes=1))
    return _reaches(fresh, settings.NEW_DEVICES_PER_MINUTE)


def _reaches(rows: QuerySet[AuthSet], limit: int) -> bool:
    """Whether there are so many, counting no further."""
    return rows.order_by()[:limit].count() >= limit
