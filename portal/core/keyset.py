"""Paging through rows that grow while somebody reads: by the last row that was seen, never by counting.

A page of a million rows costs what the first one costs, and no row is shown twice or left out because new ones came meanwhile.
Rows are ordered by a time, newest first, and by a UUID where the times are equal; the table has an index of both.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Generic, TypeVar
from uuid import UUID

from django.db.models import Model, Q, QuerySet

Row = TypeVar("Row", bound=Model)

PAGE: Final = 50
COUNTED: Final = 10_000
"""Rows beyond these are not counted: nobody needs the number, and finding it out would take seconds."""
AT_ONCE: Final = 2000
"""Rows of a whole list that are in memory at any time."""
FORM: Final = "%Y%m%dT%H%M%S.%f"


@dataclass(frozen=True, slots=True, order=True)
class Cursor:
    """A place between two rows."""

    at: datetime
    id: UUID

    def __str__(self) -> str:
        return f"{self.at.astimezone(UTC).strftime(FORM)}-{self.id.hex}"

    @classmethod
    def read(cls, text: str) -> Cursor | None:
        """The place that an address names; None when it names none, which is the beginning."""
        moment, _, name = text.partition("-")
        try:
            return cls(datetime.strptime(moment, FORM).replace(tzinfo=UTC), UUID(name))
        except ValueError:
            return None


@dataclass(frozen=True, slots=True)
class Slice(Generic[Row]):
    """Rows, newest first, and the cursors of the pages beside them; empty where there is none."""

    rows: list[Row]
    newer: str = ""
    older: str = ""


def slice_of(
    rows: QuerySet[Row], *, time: str, older: str, newer: str, size: int = PAGE
) -> Slice[Row]:
    """The page of `rows` that is older than one cursor or newer than another; the newest page when both say nothing.

    `time` is the field that orders them.
    """
    start = Cursor.read(older)
    end = None if start else Cursor.read(newer)
    if end is not None:
        found = list(rows.filter(_beyond(end, time, "gt")).order_by(time, "id")[: size + 1])
        if len(found) > size:
            shown = found[size - 1 :: -1]
            return Slice(shown, newer=_at(shown[0], time), older=_at(shown[-1], time))
    ordered = rows.order_by(f"-{time}", "-id")
    found = list((ordered.filter(_beyond(start, time, "lt")) if start else ordered)[: size + 1])
    shown = found[:size]
    return Slice(
        shown,
        newer=_at(shown[0], time) if start and shown else "",
        older=_at(shown[-1], time) if len(found) > size else "",
    )


def all_of(rows: QuerySet[Row], *, time: str, size: int = AT_ONCE) -> Iterator[Row]:
    """All of the rows, newest first, `size` of them asked for at a time: the first come at once.

    A cursor of the database would not do that: outside of a transaction PostgreSQL writes its whole result down first.
    """
    ordered = rows.order_by(f"-{time}", "-id")
    found = list(ordered[:size])
    while found:
        yield from found
        if len(found) < size:
            return
        last = Cursor(getattr(found[-1], time), found[-1].pk)
        found = list(ordered.filter(before(last, time=time))[:size])


def all_by_name(rows: QuerySet[Row], *, name: str, size: int = AT_ONCE) -> Iterator[Row]:
    """The same in the order of a unique name."""
    ordered = rows.order_by(name)
    found = list(ordered[:size])
    while found:
        yield from found
        if len(found) < size:
            return
        found = list(ordered.filter(**{f"{name}__gt": getattr(found[-1], name)})[:size])


def slice_by_name(
    rows: QuerySet[Row], *, name: str, newer: str, older: str, size: int = PAGE
) -> Slice[Row]:
    """The same for rows in the order of a unique name: "older" is what comes after it, "newer" what comes before."""
    if newer and not older:
        found = list(rows.filter(**{f"{name}__lt": newer}).order_by(f"-{name}")[: size + 1])
        if len(found) > size:
            shown = found[size - 1 :: -1]
            return Slice(shown, newer=getattr(shown[0], name), older=getattr(shown[-1], name))
    after = rows.filter(**{f"{name}__gt": older}) if older else rows
    found = list(after.order_by(name)[: size + 1])
    shown = found[:size]
    return Slice(
        shown,
        newer=getattr(shown[0], name) if older and shown else "",
        older=getattr(shown[-1], name) if len(found) > size else "",
    )


def counted(rows: QuerySet[Row]) -> str:
    """How many rows there are, in words: exactly up to a limit, and "more than" beyond it."""
    count = rows.order_by().values("pk")[: COUNTED + 1].count()
    return f"more than {COUNTED:,}" if count > COUNTED else f"{count:,}"


def before(cursor: Cursor, *, time: str) -> Q:
    """Rows that are older than the cursor."""
    return _beyond(cursor, time, "lt")


def _beyond(cursor: Cursor, time: str, side: str) -> Q:
    # The first part alone lets the database enter its index at the right place.
    return Q(**{f"{time}__{side}e": cursor.at}) & (
        Q(**{f"{time}__{side}": cursor.at}) | Q(**{f"id__{side}": cursor.id})
    )


def _at(row: Model, time: str) -> str:
    return str(Cursor(getattr(row, time), row.pk))
