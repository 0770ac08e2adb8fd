"""No page asks the database more than a dozen times, and none asks more because there is more to show."""

from __future__ import annotations

import pytest
from django.core.cache import cache
from django.test import Client

from bench.addresses import addresses, forget_rows
from bench.pages import administrator, visit
from bench.report import QUERIES
from tests.environment.redis import RedisServer
from tests.scale.fleet import grow

pytestmark = pytest.mark.database

FEW = 10
MANY = 60


def queries() -> dict[str, int]:
    """How many statements each page takes once it is known who asks, with nothing in the portal's cache."""
    client = Client(raise_request_exception=False, REMOTE_ADDR="127.0.0.1")
    client.force_login(administrator(), backend="django.contrib.auth.backends.ModelBackend")
    forget_rows()
    counted = {}
    for address in addresses():
        if visit(address.url, client).is_page:
            cache.clear()
            counted[address.name] = len(visit(address.url, client).statements)
    return counted


def test_no_page_asks_too_much_or_more_when_there_is_more(redis_server: RedisServer) -> None:
    grow(FEW)
    few = queries()
    grow(MANY - FEW)
    many = queries()

    assert len(many) > 100
    assert {name: count for name, count in many.items() if count > QUERIES} == {}
    assert {
        name: (few[name], count) for name, count in many.items() if count > few.get(name, count)
    } == {}
