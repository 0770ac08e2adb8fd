"""What a load balancer or a supervisor asks: does the process live, and is the portal ready to work?

No login, and no details: the names of the parts, and whether each is well. The log says more.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing
from typing import Final

import structlog
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry
from rq import worker_registration

log = structlog.get_logger(__name__)

REDIS_SECONDS: Final = 2
SCHEDULER_KEY: Final = "fleetwright:scheduler"

_migrated = threading.Event()
"""Set once nothing was left to migrate: nobody takes tables away from a process that runs."""


@never_cache
@require_safe
def livez(_request: HttpRequest) -> JsonResponse:
    """200 while this process answers at all."""
    return JsonResponse({"status": "alive"})


@never_cache
@require_safe
def readyz(_request: HttpRequest) -> JsonResponse:
    """200 when upgrades can be ordered and will be carried out, else 503; each part with `ok` or `failed`."""
    parts = {name: _is_well(name, check) for name, check in PARTS.items()}
    is_ready = all(parts.values())
    return JsonResponse(
        {
            "status": "ready" if is_ready else "not ready",
            "parts": {name: "ok" if is_well else "failed" for name, is_well in parts.items()},
        },
        status=200 if is_ready else 503,
    )


def _database_answers() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return True


def is_migrated() -> bool:
    if not _migrated.is_set():
        executor = MigrationExecutor(connection)
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            return False
        _migrated.set()
    return True


def _redis_answers() -> bool:
    with closing(redis_client()) as redis:
        return bool(redis.ping())


def _worker_lives() -> bool:
    """RQ's list of workers keeps the names of killed ones; what tells the living is a key that they renew."""
    with closing(redis_client()) as redis:
        keys = worker_registration.get_keys(connection=redis)
        return any(redis.exists(key) and not redis.hexists(key, "death") for key in keys)


def scheduler_lives(*, seconds: int) -> None:
    """For so many seconds from now the scheduler counts as alive. Nothing is done when Redis does not answer."""
    try:
        with closing(redis_client()) as redis:
            redis.set(SCHEDULER_KEY, "alive", ex=seconds)
    except RedisError as error:
        log.warning("part failed", part="redis", error=str(error))


PARTS: Final[dict[str, Callable[[], bool]]] = {
    "database": _database_answers,
    "migrations": is_migrated,
    "redis": _redis_answers,
    "worker": _worker_lives,
}


def _is_well(name: str, check: Callable[[], bool]) -> bool:
    try:
        is_well = check()
    except (DatabaseError, RedisError) as error:
        log.warning("part failed", part=name, error=str(error))
        return False
    if not is_well:
        log.warning("part failed", part=name)
    return is_well


def redis_client() -> Redis:
    """A connection that gives up soon: whoever looks at the portal's health must not wait for what is not well."""
    return Redis.from_url(
        settings.REDIS_URL,
        socket_timeout=REDIS_SECONDS,
        socket_connect_timeout=REDIS_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )
