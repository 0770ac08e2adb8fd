"""The one door to RQ. Puts work on the queue by dotted name, after the commit, with ids of our own.

The queue is a convenience: what should be running stands in the database, and `recover` puts it back here when Redis has
forgotten it. So a Redis that does not answer is a warning, not a failure of the order.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Final

import django_rq
import structlog
from django.conf import settings
from django.db import transaction
from redis.exceptions import RedisError
from rq.queue import EnqueueData, Queue

from updates.models import Check, Upgrade

log = structlog.get_logger(__name__)

QUEUE: Final = "updates"
CHECK_JOB: Final = "updates.jobs.run_check"
BATCH: Final = 500


def start_upgrades(upgrades: Iterable[Upgrade]) -> None:
    """Once the transaction is committed, a worker will take each of these upgrades up. Without Redis: `recover` will.

    Those that are no worker's to carry out are nobody's here: their device asks by itself, or the watchdog looks.
    """
    work = [
        (settings.KINDS[row.kind], str(row.pk), job_id(row))
        for row in upgrades
        if row.executor == Upgrade.Executor.WORKER
    ]
    transaction.on_commit(partial(_enqueue, work))


def start_checks(checks: Iterable[Check]) -> None:
    """Once the transaction is committed, a worker will run each of these checks."""
    work = [(CHECK_JOB, str(row.pk), check_job_id(row)) for row in checks]
    transaction.on_commit(partial(_enqueue, work))


def start_job(name: str, *, argument: str, job: str) -> None:
    """Once the transaction is committed, a worker will run the function of this dotted name: for what is no upgrade."""
    transaction.on_commit(partial(_enqueue, [(name, argument, job)]))


def job_id(upgrade: Upgrade) -> str:
    """The id of the job that the next holder of the upgrade runs as: twice enqueued it is still one job."""
    return f"upgrade-{upgrade.pk}-{upgrade.fence}"


def check_job_id(check: Check) -> str:
    """The id of the job that carries this check out; another one for each time it is asked for."""
    return f"check-{check.pk}-{check.requested_at.timestamp():.0f}"


def queued() -> set[str]:
    """The ids of all jobs that wait or run. None are known when Redis does not answer: what needs them is enqueued again."""
    try:
        queue = django_rq.get_queue(QUEUE)
        return {*queue.get_job_ids(), *queue.started_job_registry.get_job_ids()}
    except RedisError:
        log.warning("queue does not answer", exc_info=True)
        return set()


def _enqueue(work: list[tuple[str, str, str]]) -> None:
    try:
        queue = django_rq.get_queue(QUEUE)
        for start in range(0, len(work), BATCH):
            queue.enqueue_many([_job(*item) for item in work[start : start + BATCH]])
    except RedisError:
        log.warning("queue does not answer; recover will start this work", jobs=len(work))


def _job(name: str, argument: str, job: str) -> EnqueueData:
    return Queue.prepare_data(
        name,
        args=(argument,),
        job_id=job,
        timeout=-1,  # our own time limits rule; RQ's would kill a step in the middle
        result_ttl=0,
        failure_ttl=24 * 3600,
        description=f"{name}({argument})",
    )
