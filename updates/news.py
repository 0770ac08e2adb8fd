"""What people are told on every page: versions that are newer than what runs, and upgrades of the portal itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.conf import settings
from django.db.models import F, OuterRef, Q, QuerySet, Subquery

from portal.core import clock
from updates.machine import State
from updates.models import Upgrade, WatchedContainer

SHOWN: Final = 20
"""More than these are not counted for a page."""


@dataclass(frozen=True, slots=True)
class News:
    """Of one watched container: `newest` is empty where nothing newer is offered, `upgrade` the id of one that is not over."""

    pk: int
    name: str
    is_portal: bool
    newest: str
    notes_url: str
    upgrade: str
    upgrade_state: str
    upgrade_to: str


def outdated(rows: QuerySet[WatchedContainer]) -> QuerySet[WatchedContainer]:
    """Those whose registry was seen to have something newer than what runs, and which are still watched."""
    other_version = ~Q(newest=F("instance__version"))
    # A tag that floats stays the same, and means another image.
    other_image = ~Q(newest_digest="") & ~Q(digest="") & ~Q(newest_digest=F("digest"))
    return rows.filter(~Q(newest=""), other_version | other_image, unwatched_at=None)


def news() -> list[News]:
    """The portal first, whatever is known of it, then what could be newer, by name; what is snoozed is left out.

    One question of the database, whatever there is.
    """
    unfinished = Upgrade.objects.filter(instance=OuterRef("instance_id")).exclude(
        state=State.FINISHED
    )
    newest = unfinished.order_by("-created_at")
    awake = Q(snoozed_until=None) | Q(snoozed_until__lte=clock.now())
    offered = outdated(WatchedContainer.objects.filter(awake)).values("pk")
    wanted = Q(is_portal=True)
    if not settings.VERSION_CHECK_DISABLED:
        wanted |= Q(pk__in=offered)
    rows = (
        WatchedContainer.objects.filter(wanted, unwatched_at=None)
        .annotate(
            offers=Subquery(offered.filter(pk=OuterRef("pk"))),
            upgrade=Subquery(newest.values("pk")[:1]),
            upgrade_state=Subquery(newest.values("state")[:1]),
            upgrade_to=Subquery(newest.values("to_version")[:1]),
        )
        .order_by("-is_portal", "instance__name")
        .values_list(
            "pk", "instance__name", "is_portal", "newest", "notes_url", "offers", "upgrade",
            "upgrade_state", "upgrade_to",
        )[:SHOWN]
    )  # fmt: skip
    found = [
        News(
            pk=pk, name=name, is_portal=is_portal,
            newest=newest if offers and not settings.VERSION_CHECK_DISABLED else "",
            notes_url=notes_url, upgrade=str(upgrade or ""), upgrade_state=state or "", upgrade_to=to or "",
        )
        for pk, name, is_portal, newest, notes_url, offers, upgrade, state, to in rows
    ]  # fmt: skip
    return [one for one in found if one.newest or one.is_portal]
