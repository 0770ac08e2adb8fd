"""No page asks the database more than a dozen times, and none asks more because there is more to show."""

from __future__ import annotations

import pytest
from django.core.cache import cache
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import clear_url_caches, path

from bench.addresses import NoExample, addresses
from bench.examples import forget_rows, give_own_rows
from bench.pages import SHOWN, administrator, visit
from bench.report import QUERIES
from portal import urls
from tests.environment.redis import RedisServer
from tests.scale.fleet import grow

# Statements are counted, and those are the same on either database.
pytestmark = [pytest.mark.database, pytest.mark.only_postgresql]

FEW = 10
MANY = 60


def tell_the_planner() -> None:
    """The database knows how many rows there are. Where tests before this one took theirs back it believed in none,
    and the pages took half an hour."""
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def queries(*, first: bool) -> dict[str, int]:
    """How many statements each page takes, with nothing in the portal's cache; what only this process's first visits ask is
    not counted."""
    client = Client(raise_request_exception=False, REMOTE_ADDR="127.0.0.1")
    visitor = administrator()
    client.force_login(visitor, backend="portal.sign_in.permissions.PermissionsAtOnce")
    forget_rows()
    give_own_rows(visitor)
    counted = {}
    for address in addresses(visitor):
        if first:
            visit(address.url, client)
        cache.clear()
        seen = visit(address.url, client)
        if seen.is_page:
            assert seen.status in SHOWN, f"{address.name} answers {seen.status}"
            counted[address.name] = len(seen.statements)
    return counted


def test_no_page_asks_too_much_or_more_when_there_is_more(redis_server: RedisServer) -> None:
    grow(FEW)
    tell_the_planner()
    few = queries(first=True)
    grow(MANY - FEW)
    tell_the_planner()
    many = queries(first=False)

    assert len(many) > 100
    assert {name: count for name, count in many.items() if count > QUERIES} == {}
    assert {
        name: (few[name], count) for name, count in many.items() if count > few.get(name, count)
    } == {}


def nowhere(_request: HttpRequest, thing: int) -> HttpResponse:
    return HttpResponse(str(thing))


def test_a_page_that_nobody_gave_an_example_is_not_forgotten(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    grow(FEW)
    visitor = administrator()
    give_own_rows(visitor)
    forget_rows()
    assert addresses(visitor)
    new = path("things/<int:thing>/", nowhere, name="things-detail")
    with monkeypatch.context() as patch:
        patch.setattr(urls, "urlpatterns", [*urls.urlpatterns, new])
        clear_url_caches()
        with pytest.raises(NoExample, match="things-detail"):
            addresses(visitor)
    clear_url_caches()
