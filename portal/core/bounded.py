"""Numbered pages of long lists: rows are counted up to a limit, since counting a million for a page of fifty takes longer than
the page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.utils.functional import cached_property

from portal.core.keyset import COUNTED

if TYPE_CHECKING:
    PaginatorBase = Paginator[Any]
else:
    PaginatorBase = Paginator


class MoreThan(int):
    """A number that is shown as "more than": what there is beyond it was not counted."""

    def __str__(self) -> str:
        return f"more than {int(self):,}"


class BoundedPaginator(PaginatorBase):
    """Counts exactly up to 10,000 rows and pages no further: whoever looks for an older row has filters and the search."""

    @cached_property
    def count(self) -> int:
        if not isinstance(self.object_list, QuerySet):
            return len(self.object_list)
        found = self.object_list.order_by().values("pk")[: COUNTED + 1].count()
        return found if found <= COUNTED else MoreThan(COUNTED)
