"""What somebody else does between two questions that a page asks the database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count

from django.db import connection


@contextmanager
def just_before(question: str, act: Callable[[], object], *, time: int = 1) -> Iterator[None]:
    """`act` is done before a query with these words in it is asked for the first time, or another one."""
    times = count(1)

    def asked(
        execute: Callable[..., object], sql: str, params: object, many: bool, context: object
    ) -> object:
        if question in sql and next(times) == time:
            act()
        return execute(sql, params, many, context)

    with connection.execute_wrapper(asked):
        yield
