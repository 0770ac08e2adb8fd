"""Lists that end somewhere."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from typing import Final, TypeVar

from django.db.models import Model, QuerySet

from portal.cli.verb import Call

MOST: Final = 10_000
_Row = TypeVar("_Row", bound=Model)


def limit_argument(parser: ArgumentParser) -> None:
    """--limit, 50 unless told."""
    parser.add_argument("--limit", type=_limit, default=50, metavar="N", help="50 unless told")


def shown(rows: QuerySet[_Row], call: Call) -> list[_Row]:
    """The first rows, as many as the call wants to see; a person is told when there are more."""
    limit: int = call.words["limit"]
    found = list(rows[: limit + 1])
    if len(found) > limit:
        call.out.aside(f"These are the first {limit}; --limit shows more.")
    return found[:limit]


def _limit(word: str) -> int:
    if not word.isdecimal() or not 1 <= int(word) <= MOST:
        raise ArgumentTypeError(f"between 1 and {MOST}")
    return int(word)
