"""What time it is, for everything that is written into the history. Only the demo's past is told at another time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.utils import timezone

_shift = [timedelta(0)]


def now() -> datetime:
    """The time, aware."""
    return timezone.now() + _shift[-1]


@contextmanager
def started_at(moment: datetime) -> Iterator[None]:
    """Inside the block it is `moment`, and time goes on from there, in all threads of this process."""
    _shift.append(moment - timezone.now())
    try:
        yield
    finally:
        _shift.pop()
