"""Filters of the list of watched containers."""

from __future__ import annotations

from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import DropdownFilter

from updates.models import WatchedContainer
from updates.news import outdated


class OutdatedFilter(DropdownFilter):
    title = "Newer version"
    parameter_name = "newer"

    def lookups(self, _request: HttpRequest, _admin: object) -> list[tuple[str, str]]:
        return [("yes", "there is one"), ("no", "there is none")]

    def queryset(
        self, _request: HttpRequest, found: QuerySet[WatchedContainer]
    ) -> QuerySet[WatchedContainer]:
        if self.value() not in ("yes", "no"):
            return found
        newer = outdated(WatchedContainer.objects.all())
        return found.filter(pk__in=newer) if self.value() == "yes" else found.exclude(pk__in=newer)


class WatchedFilter(DropdownFilter):
    title = "Watched"
    parameter_name = "watched"

    def lookups(self, _request: HttpRequest, _admin: object) -> list[tuple[str, str]]:
        return [("no", "no longer"), ("all", "now, or no longer")]

    def queryset(
        self, _request: HttpRequest, found: QuerySet[WatchedContainer]
    ) -> QuerySet[WatchedContainer]:
        """Those that are watched, unless others are asked for."""
        if self.value() == "all":
            return found
        return found.filter(unwatched_at__isnull=self.value() != "no")
