"""Every address of the portal, from its URL configuration, and the table of who gets what answer there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from django.urls import URLPattern, URLResolver, get_resolver
from django.views.generic import RedirectView, View

WHO: Final = ("anonymous", "viewer", "operator", "approver", "administrator")
PAGE_METHODS: Final = ("GET", "POST")
EFFECTS: Final = ("put", "patch", "delete")
API: Final = "api/v1/"
SEED_API: Final = "api/upgrade/"
"""Where the portal's own upgrade is asked for in other words than the rest."""
TABLE: Final = Path(__file__).with_name("addresses.txt")


@dataclass(frozen=True, order=True)
class Question:
    route: str
    method: str


Answers = dict[Question, dict[str, str]]
"""The status that each kind of visitor gets."""


def questions() -> list[Question]:
    """Every route with every method that it knows; GET and POST in any case."""
    return [
        Question(route, method)
        for route, pattern in _walk(get_resolver())
        for method in (*PAGE_METHODS, *_more_methods(pattern))
    ]


def expected() -> Answers:
    """The table: a route, then a line for each method with a status for each column."""
    table: Answers = {}
    route = ""
    for line in TABLE.read_text().splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        if not line.startswith(" "):
            route = line.strip().removeprefix("/")
            continue
        method, *statuses = line.split()
        table[Question(route, method)] = dict(zip(WHO, statuses, strict=True))
    return table


def written(answers: Answers) -> str:
    """As the table has it."""
    lines: list[str] = []
    last = None
    for question, row in answers.items():
        if question.route != last:
            lines.append(f"/{question.route}")
            last = question.route
        lines.append(f"  {question.method:<7}" + "".join(f"{row[who]:>7}" for who in WHO))
    return "\n".join(lines)


def _walk(resolver: URLResolver, before: str = "") -> Iterator[tuple[str, URLPattern]]:
    for pattern in resolver.url_patterns:
        route = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from _walk(pattern, route)
        else:
            yield route, pattern


def _more_methods(pattern: URLPattern) -> list[str]:
    """What a view of an API takes besides: DRF keeps its methods with the view, Django's classes define theirs."""
    actions: dict[str, str] = getattr(pattern.callback, "actions", None) or {}
    view = getattr(pattern.callback, "view_class", View)
    handled = [] if view is RedirectView else [method for method in EFFECTS if method in vars(view)]
    return sorted({method.upper() for method in (*actions, *handled)} - {*PAGE_METHODS, "HEAD"})
