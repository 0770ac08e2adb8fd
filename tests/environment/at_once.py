"""Two at the same row of the database at the same time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.db import connection, connections, transaction

from tests.environment.waiting import wait_until


@contextmanager
def waiting_for_us(deed: Callable[[], object]) -> Iterator[None]:
    """What happens inside is not committed yet when somebody else begins `deed`, and is when that comes to its end."""
    raised: list[BaseException] = []

    def act() -> None:
        try:
            deed()
        except Exception as error:
            raised.append(error)
            raise
        finally:
            connections.close_all()

    other = threading.Thread(target=act)
    with transaction.atomic():
        yield
        other.start()
        wait_until(lambda: _somebody_waits() or not other.is_alive(), seconds=10, what="the other")
    other.join()
    assert raised == []


def _somebody_waits() -> bool:
    if connection.vendor == "sqlite":
        return True  # one writer at a time: it cannot be otherwise
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return bool(cursor.fetchone()[0])
