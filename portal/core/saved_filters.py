"""Filters of lists, kept under a name."""

from __future__ import annotations

from typing import Final

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q, QuerySet

from portal.core import audit
from portal.core.actors import Actor
from portal.core.errors import NotPermitted, Refused
from portal.core.models import SavedFilter

SHARE: Final = "core.share_savedfilter"
MOST: Final = 50
"""Filters of one user in one place."""


def filters_for(user: User, place: SavedFilter.Place) -> QuerySet[SavedFilter]:
    """The user's own filters of this list, and those that others share."""
    return (
        SavedFilter.objects.filter(place=place)
        .filter(Q(owner=user) | Q(is_shared=True))
        .select_related("owner")
    )


def save_filter(
    *, place: SavedFilter.Place, name: str, query: str, is_shared: bool, actor: Actor
) -> SavedFilter:
    """The filter is kept under its name; one that its owner had there before is replaced."""
    if actor.user is None:
        raise NotPermitted("A saved filter belongs to somebody who logs in.")
    if is_shared:
        actor.require(SHARE)
    own = SavedFilter.objects.filter(owner=actor.user, place=place)
    if not name.strip() or not query:
        raise Refused("A saved filter needs a name, and something that it filters by.")
    with transaction.atomic():
        if own.exclude(name=name).count() >= MOST:
            raise Refused(f"You have {MOST} saved filters here: delete one of them first.")
        saved, is_new = own.update_or_create(
            owner=actor.user,
            place=place,
            name=name,
            defaults={"query": query, "is_shared": is_shared},
        )
        audit.record(
            actor=actor,
            action="filter.add" if is_new else "filter.change",
            subject=saved,
            data={"query": query, "shared": is_shared},
        )
    return saved


def delete_filter(*, saved: SavedFilter, actor: Actor) -> None:
    """The filter is gone. Somebody else's needs the permission to share filters."""
    if saved.owner != actor.user:
        actor.require(SHARE)
    with transaction.atomic():
        audit.record(actor=actor, action="filter.delete", subject=saved)
        saved.delete()
