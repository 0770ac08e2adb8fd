"""Our RQ worker: asked to stop, it asks its running job to hand the work over instead of waiting for hours."""

from __future__ import annotations

import os
import signal
from types import FrameType

from django.db import connections
from rq import Worker
from rq.job import Job
from rq.queue import Queue

from portal.core import leaving


class FleetWorker(Worker):
    """A forking worker. A second request to stop is RQ's cold shutdown: the job is killed, and resumed by the next worker."""

    def request_stop(self, signum: int, frame: FrameType | None) -> None:
        self._ask_job_to_leave()
        super().request_stop(signum, frame)

    def fork_work_horse(self, job: Job, queue: Queue) -> None:
        connections.close_all()  # a connection must not be shared with the child
        leaving.listen()  # here, so that the child has the handler from its first instruction on
        super().fork_work_horse(job, queue)

    def _ask_job_to_leave(self) -> None:
        if self.horse_pid:
            try:
                os.kill(self.horse_pid, signal.SIGUSR1)
            except ProcessLookupError:
                return  # it has just ended
