"""Our RQ worker: asked to stop, it has its running job hand the work over, instead of waiting for hours or cutting it off.

The worker forks a child for each job (RQ calls it the horse). What may happen to them, and to the upgrade in the child's hands:

    worker gets SIGTERM    the child gets SIGUSR1: it leaves at its next safe point, and the upgrade is free for anybody
    worker gets another    RQ's cold shutdown: the child is killed; the lease lapses, and another worker attaches
    worker is killed       the kernel sends the child SIGUSR1: as with the first
    child is killed        the lease lapses, and another worker attaches
    Redis is emptied       the job goes on; the worker puts its name back; `recover` puts back what had waited
    Redis is away          the job goes on to its end; then the worker ends, and is started again by whoever supervises it
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import structlog
from django.db import connections
from redis.client import Pipeline
from redis.exceptions import RedisError
from rq import Worker, worker_registration
from rq.job import Job
from rq.queue import Queue

from portal.core import leaving
from portal.supervisor.bond import set_parent_death_signal

log = structlog.get_logger(__name__)


class FleetWorker(Worker):
    """A forking worker for long jobs that can be handed over."""

    def request_stop(self, signum: int, frame: FrameType | None) -> None:
        self._ask_job_to_leave()
        super().request_stop(signum, frame)  # type: ignore[no-untyped-call]

    def fork_work_horse(self, job: Job, queue: Queue) -> None:
        connections.close_all()  # a connection must not be shared with the child
        leaving.listen()  # here, so that the child has the handler from its first instruction on
        super().fork_work_horse(job, queue)
        if self._stop_requested:  # the request came before there was a child to pass it on to
            self._ask_job_to_leave()

    def main_work_horse(self, job: Job, queue: Queue) -> None:
        set_parent_death_signal(signal.SIGUSR1)
        if os.getppid() != self.pid:  # the worker died before we had said so
            os.kill(os.getpid(), signal.SIGUSR1)
        super().main_work_horse(job, queue)

    def heartbeat(self, timeout: int | None = None, pipeline: Pipeline | None = None) -> None:
        super().heartbeat(timeout, pipeline)
        # RQ registers a worker once, at its birth; after a flush nobody would know of it any more.
        worker_registration.register(self, pipeline)

    def maintain_heartbeats(self, job: Job) -> None:
        with _only_for_show():
            super().maintain_heartbeats(job)

    def set_current_job_working_time(
        self, current_job_working_time: float, pipeline: Pipeline | None = None
    ) -> None:
        with _only_for_show():
            super().set_current_job_working_time(current_job_working_time, pipeline)

    def set_shutdown_requested_date(self) -> None:
        with _only_for_show():
            super().set_shutdown_requested_date()  # type: ignore[no-untyped-call]

    def _ask_job_to_leave(self) -> None:
        if self.horse_pid:
            try:
                os.kill(self.horse_pid, signal.SIGUSR1)
            except ProcessLookupError:
                return  # it has just ended


@contextmanager
def _only_for_show() -> Iterator[None]:
    """What RQ writes while a job runs is for those who look: a Redis that is away must not cost the job its worker."""
    try:
        yield
    except RedisError as error:
        log.warning("redis does not answer", error=str(error))
