"""Finding keys of devices that pull, and who shows them: for the operators who decide."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from django.db.models import Count, Exists, OuterRef, Q, QuerySet, TextField
from django.db.models.functions import Cast

from devices.models import AuthSet, DeviceIdentity
from portal.core.search import words_of

Status = AuthSet.Status

BEST_FIRST: Final = (Status.ACCEPTED, Status.PREAUTHORIZED, Status.PENDING, Status.REJECTED)
"""A device is what the best of its keys is."""
FORGOTTEN: Final = "noauth"
"""What Mender calls an identity without any key: it was decommissioned, or its keys were dismissed."""


def keys_with(*, status: AuthSet.Status | None = None, text: str = "") -> QuerySet[AuthSet]:
    """Keys, of this status, in which each of the words stands: in the identity, or at the beginning of the key's hash."""
    found = AuthSet.objects.select_related("identity__device")
    if status is not None:
        found = found.filter(status=status)
    words = words_of(text)
    if words:
        found = found.alias(told=Cast("identity__id_data", TextField()))
    for word in words:
        found = found.filter(
            Q(told__icontains=word)
            | Q(key_hash__startswith=word.lower())
            | Q(identity__device__name__icontains=word)
        )
    return found


def with_rivals(keys: QuerySet[AuthSet]) -> QuerySet[AuthSet]:
    """Each with `has_rival`: whether another key of its identity is accepted, which accepting this one would reject."""
    return keys.annotate(has_rival=_rival())


def rivalled(keys: QuerySet[AuthSet]) -> int:
    """How many of these keys have such a rival."""
    return keys.filter(_rival()).count()


def key_counts() -> Mapping[str, int]:
    """How many keys there are of each status."""
    rows = AuthSet.objects.order_by().values_list("status").annotate(number=Count("pk"))
    return {status.value: 0 for status in Status} | dict(rows)


def status_of(identity: DeviceIdentity) -> str:
    """What the identity is by its keys, in Mender's words. Its `auth_sets` are best fetched before."""
    there = {key.status for key in identity.auth_sets.all()}
    return next((status.value for status in BEST_FIRST if status in there), FORGOTTEN)


def identities_with(status: AuthSet.Status | None = None) -> QuerySet[DeviceIdentity]:
    """Identities that have a key; only those that are of this status by the best of theirs."""
    if status is None:
        return DeviceIdentity.objects.filter(_any_key())
    better = BEST_FIRST[: BEST_FIRST.index(status)]
    return DeviceIdentity.objects.filter(_any_key(status), ~_any_key(*better) if better else Q())


def _any_key(*statuses: AuthSet.Status) -> Exists:
    keys = AuthSet.objects.filter(identity=OuterRef("pk"))
    return Exists(keys.filter(status__in=statuses) if statuses else keys)


def _rival() -> Exists:
    accepted = AuthSet.objects.filter(identity=OuterRef("identity"), status=Status.ACCEPTED)
    return Exists(accepted.exclude(pk=OuterRef("pk")))
