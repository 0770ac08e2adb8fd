"""Long lists, page by page: a cursor stays right while rows come and go, and costs the same on the last page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet
from rest_framework.exceptions import NotFound
from rest_framework.pagination import CursorPagination

if TYPE_CHECKING:  # DRF imports this module while it makes its views
    from rest_framework.request import Request
    from rest_framework.views import APIView

PAGE = 50
LONGEST_PAGE = 200

_Row = TypeVar("_Row", bound=Model)


class Pages(CursorPagination):
    """50 rows, or `limit` of them up to 200, in the view's own `ordering`, whose first field is indexed and near unique."""

    page_size = PAGE
    page_size_query_param = "limit"
    page_size_query_description = f"Rows per page, at most {LONGEST_PAGE}."
    max_page_size = LONGEST_PAGE
    cursor_query_description = "Where to go on: take it from `next` or `previous`."

    def paginate_queryset(  # type: ignore[override]
        self, queryset: QuerySet[_Row], request: Request, view: APIView | None = None
    ) -> list[_Row] | None:
        """The page's rows. NotFound for a cursor that this list never gave."""
        try:
            return super().paginate_queryset(queryset, request, view)
        except (ValidationError, ValueError, OverflowError):
            raise NotFound("This list has no such cursor.") from None

    def decode_cursor(self, request: Request) -> Any:  # noqa: ANN401 - DRF's own Cursor
        cursor = super().decode_cursor(request)
        if cursor is not None and "\0" in str(cursor.position):
            raise NotFound("This list has no such cursor.")
        return cursor

    def get_ordering(
        self, request: Request, queryset: QuerySet[Any], view: APIView
    ) -> tuple[str, ...]:
        return tuple(view.ordering)  # type: ignore[attr-defined]
