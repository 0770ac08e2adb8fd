"""Lists in numbered pages, as Mender's server gives them: `page` and `per_page`, with Link and X-Total-Count."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

from django.db.models import Model, QuerySet
from django.http import HttpRequest, JsonResponse

from portal.mender_management.errors import NotRead

PER_PAGE: Final = 20
LONGEST_PAGE: Final = 500
LAST_PAGE: Final = 1_000_000
Row = TypeVar("Row", bound=Model)


def page_of(
    rows: QuerySet[Row],
    described: Callable[[Row], dict[str, Any]],
    *,
    request: HttpRequest,
    per_page: int = PER_PAGE,
) -> JsonResponse:
    """The page of `rows` that the request asks for, each as `described` has it. NotRead for a number that is none."""
    page = _number(request, "page", otherwise=1, largest=LAST_PAGE)
    size = _number(request, "per_page", otherwise=per_page, largest=LONGEST_PAGE)
    first = (page - 1) * size
    found = list(rows[first : first + size + 1])
    answer = JsonResponse([described(row) for row in found[:size]], safe=False)
    answer["X-Total-Count"] = str(rows.count())
    answer["Link"] = ", ".join(_links(request, page=page, size=size, has_next=len(found) > size))
    return answer


def _links(request: HttpRequest, *, page: int, size: int, has_next: bool) -> list[str]:
    pages = {"first": 1}
    if page > 1:
        pages["prev"] = page - 1
    if has_next:
        pages["next"] = page + 1
    return [
        f'<{request.path}?{_words(request, page=number, size=size)}>; rel="{name}"'
        for name, number in pages.items()
    ]


def _words(request: HttpRequest, *, page: int, size: int) -> str:
    words = request.GET.copy()
    words["page"], words["per_page"] = str(page), str(size)
    return words.urlencode()


def _number(request: HttpRequest, name: str, *, otherwise: int, largest: int) -> int:
    given = request.GET.get(name, "")
    if not given:
        return otherwise
    if not (given.isascii() and given.isdecimal() and len(given) <= len(str(largest))):
        raise NotRead(f"{name} is a number from 1 to {largest}.")
    number = int(given)
    if not 1 <= number <= largest:
        raise NotRead(f"{name} is a number from 1 to {largest}.")
    return number
