"""The desk: handlers, decorated and not, and the state that a patch must not lose."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from enum import Enum

VERSION = 1

served: dict[str, int] = {"orders": 0}
handlers: dict[str, Callable[[int], int]] = {}
is_open = False


class Size(Enum):
    SMALL = 1
    LARGE = 2


def handler(name: str) -> Callable[[Callable[[int], int]], Callable[[int], int]]:
    def register(function: Callable[[int], int]) -> Callable[[int], int]:
        @functools.wraps(function)
        def counted(amount: int) -> int:
            served["orders"] += 1
            return function(amount)

        handlers[name] = counted
        return counted

    return register


def answer() -> int:
    return 1


def quotes() -> Iterator[int]:
    """The answer, as often as somebody asks."""
    while True:
        yield 1


@handler("order")
def order(amount: int) -> int:
    return amount * answer()


def tick() -> int:
    served["ticks"] = served.get("ticks", 0) + 1
    return served["ticks"]


def open_for_business() -> None:
    global is_open
    is_open = True
