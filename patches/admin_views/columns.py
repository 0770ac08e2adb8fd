"""Columns and filters of the lists of patches, nodes and instances."""

from __future__ import annotations

from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import DropdownFilter

from patches.models import Application, Node
from patches.queries import DRIFTED, RESTART_NEEDED
from updates.models import Instance


class AttentionFilter(DropdownFilter):
    """Nodes that somebody should look at."""

    title = "needs attention"
    parameter_name = "attention"
    sorts = {
        "restart": ("Restart needed", RESTART_NEEDED),
        "drift": ("Drift", DRIFTED),
        "unreachable": ("Does not answer", Q(is_reachable=False)),
    }

    def lookups(self, _request: HttpRequest, _model_admin: Any) -> list[tuple[str, str]]:  # noqa: ANN401 - Django's
        return [(word, label) for word, (label, _) in self.sorts.items()]

    def queryset(self, _request: HttpRequest, found: QuerySet[Node]) -> QuerySet[Node]:
        sort = self.sorts.get(self.value() or "")
        return found.filter(sort[1]) if sort else found


class PatchedFilter(DropdownFilter):
    """Instances by what became of patches there."""

    title = "patches"
    parameter_name = "patched"
    sorts = {
        "active": ("In force", Application.Standing.ACTIVE),
        "broken": ("Broken", Application.Standing.BROKEN),
        "ordered": ("On its way", Application.Standing.ORDERED),
    }

    def lookups(self, _request: HttpRequest, _model_admin: Any) -> list[tuple[str, str]]:  # noqa: ANN401 - Django's
        return [(word, label) for word, (label, _) in self.sorts.items()]

    def queryset(self, _request: HttpRequest, found: QuerySet[Instance]) -> QuerySet[Instance]:
        sort = self.sorts.get(self.value() or "")
        if sort is None:
            return found
        return found.filter(pk__in=Application.objects.filter(standing=sort[1]).values("instance"))


class ArchiveFilter(DropdownFilter):
    """Patches by whether their archive is there."""

    title = "archive"
    parameter_name = "archive"

    def lookups(self, _request: HttpRequest, _model_admin: Any) -> list[tuple[str, str]]:  # noqa: ANN401 - Django's
        return [("there", "There"), ("deleted", "Deleted")]

    def queryset(self, _request: HttpRequest, found: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() not in ("there", "deleted"):
            return found
        return found.filter(deleted_at__isnull=self.value() == "there")
