"""Walks all pages and lists as an administrator and measures what they ask of the database."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from django.contrib.auth.models import Group, Permission, User
from django.core.cache import cache
from django.db import connection
from django.test import Client

from bench.addresses import Address
from bench.database import yardstick_ms

ROUNDS: Final = 5
MIB: Final = 2**20
SHOWN: Final = frozenset({200, 204, 286})
NO_PAGE: Final = frozenset({301, 302, 403, 405})
"""A redirect, what Django has and the portal lets nobody do, or an address for a POST only: there is nothing to measure.
404 is not among them: the address was given an example that is none."""


@dataclass(slots=True)
class Statement:
    sql: str
    params: Any
    ms: float


@dataclass(slots=True)
class Visit:
    """One request: its statements in order, and the answer's size."""

    status: int
    ms: float
    size: int
    statements: list[Statement] = field(default_factory=list)

    @property
    def sql_ms(self) -> float:
        return sum(statement.ms for statement in self.statements)

    @property
    def is_page(self) -> bool:
        return self.status not in NO_PAGE


@dataclass(frozen=True, slots=True)
class Figure:
    """What a page cost: of several visits the one with the median time in the database; times in milliseconds.

    `first_sql_ms` is what the very first visit cost, with nothing in the portal's cache.
    """

    name: str
    status: int
    queries: int
    sql_ms: float
    first_sql_ms: float
    unit_ms: float
    ms: float
    kib: float
    slowest: Statement | None

    @property
    def units(self) -> float:
        """The time in the database as a multiple of what the server needed for a million made-up rows right then."""
        return self.sql_ms / self.unit_ms

    def is_over(self, *, queries: int, sql_ms: float, units: float) -> bool:
        """Too many queries, no answer, or too slow: by the clock and also by what the machine was able to do at that moment."""
        is_slow = self.sql_ms > sql_ms and self.units > units
        return self.queries > queries or is_slow or self.status not in SHOWN


def administrator() -> User:
    """Somebody who holds every permission through a group, as an administrator of the portal does. No superuser: those
    are spared the questions about permissions."""
    user, _ = User.objects.get_or_create(username="bench", defaults={"is_staff": True})
    group, _ = Group.objects.get_or_create(name="bench")
    group.permissions.set(Permission.objects.all())
    user.groups.set([group])
    return user


def measure(address: Address, client: Client, *, rounds: int = ROUNDS) -> Figure | None:
    """The figure of one page, or None when the address shows no page. The first visit finds the cache empty."""
    cache.clear()
    first = visit(address.url, client)
    if not first.is_page:
        return None
    before = yardstick_ms()
    visits = [visit(address.url, client) for _ in range(rounds)]
    unit_ms = (before + yardstick_ms()) / 2
    median = sorted(visits, key=lambda one: one.sql_ms)[len(visits) // 2]
    return Figure(
        name=address.name,
        status=median.status,
        queries=len(median.statements),
        sql_ms=median.sql_ms,
        first_sql_ms=first.sql_ms,
        unit_ms=unit_ms,
        ms=statistics.median(one.ms for one in visits),
        kib=median.size / 1024,
        slowest=max(median.statements, key=lambda statement: statement.ms, default=None),
    )


def explained(statement: Statement) -> str:
    """PostgreSQL's plan for a statement, as carried out once more."""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS) {statement.sql}", statement.params)
        return "\n".join(row[0] for row in cursor.fetchall())


def visit(url: str, client: Client) -> Visit:
    """One request, and what it asked of the database. Of a file that is written while it is read, the first MiB counts."""
    with _listening() as statements:
        begun = time.perf_counter()
        response = client.get(url, HTTP_HOST="localhost")
        content = _beginning(response) if response.streaming else response.content
        ms = (time.perf_counter() - begun) * 1000
    return Visit(response.status_code, ms, len(content), statements)


def _beginning(response: Iterable[bytes]) -> bytes:
    content = bytearray()
    for piece in response:
        content += piece
        if len(content) >= MIB:
            break
    return bytes(content)


@contextmanager
def _listening() -> Iterator[list[Statement]]:
    """The statements that run meanwhile. Savepoints and the like are none: they ask for no data."""
    heard: list[Statement] = []

    def listen(execute: Callable[..., Any], sql: str, params: object, *rest: object) -> object:
        begun = time.perf_counter()
        try:
            return execute(sql, params, *rest)
        finally:
            heard.append(Statement(sql, params, (time.perf_counter() - begun) * 1000))

    with connection.execute_wrapper(listen):
        yield heard
