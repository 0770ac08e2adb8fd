"""What the queue knows, and how long it may hide that nobody does the work."""

from __future__ import annotations

import threading
import time

import django_rq
import pytest
from django.utils import timezone
from rq.executions import Execution
from rq.job import Job

from devices.models import Device
from tests.environment.redis import RedisServer
from tests.journal.rows import new_artifact
from updates import dispatch
from updates.models import Check
from updates.services.recover import recover

pytestmark = [pytest.mark.e2e, pytest.mark.database(transaction=True)]

FORGOTTEN_AFTER_SECONDS = 90
HUNG_SECONDS = 60


@pytest.fixture
def check(redis_server: RedisServer) -> Check:
    """A check that waits for a worker, of which there is none."""
    device = Device.objects.create(name="d", device_type="t", driver=Device.Driver.LOCAL)
    artifact = new_artifact("a", device_types=["t"], payload_type="")
    return Check.objects.create(
        artifact=artifact, device=device, requested_by_name="a test", requested_at=timezone.now()
    )


def test_recover_puts_back_what_redis_forgot_and_only_once(
    check: Check, redis_server: RedisServer
) -> None:
    recover()
    recover()
    assert _waiting() == [dispatch.check_job_id(check)]
    redis_server.empty()
    recover()
    assert _waiting() == [dispatch.check_job_id(check)]


def test_a_job_whose_worker_was_killed_is_put_back_once_its_signs_of_life_are_old(
    check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    recover()
    _begin_and_vanish(_waiting()[0])
    recover()
    assert _waiting() == [], "it could still be at work"

    later = time.time() + FORGOTTEN_AFTER_SECONDS
    monkeypatch.setattr("rq.registry.current_timestamp", lambda: int(later) + 1)
    recover()
    assert _waiting() == [dispatch.check_job_id(check)]


def test_an_order_is_taken_while_redis_hangs(check: Check, redis_server: RedisServer) -> None:
    relief = threading.Timer(HUNG_SECONDS, redis_server.go_on)
    redis_server.hang()
    relief.start()
    try:
        dispatch.start_checks([check])
        assert relief.is_alive(), "nobody waits until Redis answers again"
    finally:
        relief.cancel()
        redis_server.go_on()


def _waiting() -> list[str]:
    return list(django_rq.get_queue(dispatch.QUEUE).get_job_ids())


def _begin_and_vanish(job_id: str) -> None:
    """What a worker leaves in Redis that took the job up and was killed before it did anything."""
    queue = django_rq.get_queue(dispatch.QUEUE)
    queue.remove(job_id)
    job = Job.fetch(job_id, connection=queue.connection)
    with queue.connection.pipeline() as pipeline:
        Execution.create(job, FORGOTTEN_AFTER_SECONDS, pipeline=pipeline, worker_name="gone")
        pipeline.execute()
