"""Lists that orders are looked up in: what was withdrawn is left out there, though the list itself shows it."""

from __future__ import annotations

from django.db.models import Model, QuerySet
from django.http import HttpRequest

from portal.core.admin import ReadOnlyAdmin
from updates.forms import ONLY_OFFERED


class OfferedAdmin(ReadOnlyAdmin):
    """`withdrawn_at` is the column that says when a row was withdrawn."""

    withdrawn_at: str

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Model], search_term: str
    ) -> tuple[QuerySet[Model], bool]:
        if ONLY_OFFERED in request.GET:
            queryset = queryset.filter(**{f"{self.withdrawn_at}__isnull": True})
        found, may_repeat = super().get_search_results(request, queryset, search_term)
        return found, bool(may_repeat)
