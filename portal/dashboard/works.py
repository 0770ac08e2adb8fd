"""Whether the portal itself is well: Redis, workers, queue, scheduler. What /readyz knows, in words for people."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from django.urls import reverse
from django.utils.dateparse import parse_datetime
from django.utils.timesince import timesince
from redis import Redis
from redis.exceptions import RedisError
from rq import worker_registration

from portal.core import clock
from portal.health import SCHEDULER_KEY, redis_client

QUEUE: Final = "rq:queue:updates"
LATE: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the portal, whether it is well, what there is to say about it, and where those who may see the queue see
    more."""

    name: str
    is_well: bool
    says: str
    url: str = ""


def parts() -> list[Part]:
    """Every part, as it is now. The database is well: without it nobody would be asking."""
    database = Part("Database", is_well=True, says="It answers.")
    try:
        with closing(redis_client()) as redis:
            redis.ping()
            return [
                database,
                Part("Redis", is_well=True, says="It answers."),
                _workers(redis),
                _queue(redis),
                _scheduler(redis),
            ]
    except RedisError:
        return [
            database,
            Part(
                "Redis",
                is_well=False,
                says="It does not answer: nothing new is begun. No order is lost.",
            ),
        ]


def _workers(redis: Redis) -> Part:
    keys = worker_registration.get_keys(connection=redis)
    states = [
        redis.hget(key, "state")
        for key in keys
        if redis.exists(key) and not redis.hexists(key, "death")
    ]
    busy, url = states.count(b"busy"), reverse("django_rq:workers", args=[0])
    if not states:
        return Part(
            "Workers", is_well=False, says="None lives, so nothing is carried out.", url=url
        )
    return Part("Workers", is_well=True, says=f"{len(states)} live, {busy} of them busy.", url=url)


def _queue(redis: Redis) -> Part:
    waiting, url = int(redis.llen(QUEUE)), reverse("django_rq:jobs", args=[0])
    if not waiting:
        return Part("Queue", is_well=True, says="Nothing waits for a worker.", url=url)
    oldest = redis.lindex(QUEUE, 0)
    since = redis.hget(f"rq:job:{_text(oldest)}", "enqueued_at") if oldest else None
    at = parse_datetime(_text(since)) if since else None
    if at is None:
        return Part("Queue", is_well=True, says=f"{waiting} wait for a worker.", url=url)
    now = clock.now()
    return Part(
        "Queue",
        is_well=now - at < LATE,
        says=f"{waiting} wait for a worker, the oldest for {timesince(at, now)}.",
        url=url,
    )


def _scheduler(redis: Redis) -> Part:
    if redis.exists(SCHEDULER_KEY):
        return Part("Scheduler", is_well=True, says="It looks after what was dropped.")
    return Part(
        "Scheduler",
        is_well=False,
        says="No sign of life: what is dropped is not picked up by itself.",
    )


def _text(said: bytes | str) -> str:
    return said.decode() if isinstance(said, bytes) else said
