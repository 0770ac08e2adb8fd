"""Our RQ worker over a real Redis that forgets, or goes away."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import Client
from rq.worker import Worker, WorkerStatus

from devices.models import Device
from tests.e2e.portal_process import PortalProcess
from tests.environment.redis import RedisServer
from tests.environment.waiting import wait_until
from tests.journal.rows import new_artifact
from updates import dispatch
from updates.models import Check

pytestmark = pytest.mark.e2e

PATIENCE_SECONDS = 40
TTL = "--worker-ttl=17"
"""RQ waits for a job 15 s less than this at a time, so a sign of life comes every 2 s."""


@pytest.fixture
def worker(database_url: str, redis_server: RedisServer, tmp_path: Path) -> Iterator[PortalProcess]:
    """One worker that waits for jobs."""
    env = {"DATABASE_URL": database_url, "REDIS_URL": redis_server.url}
    process = PortalProcess("rqworker", "updates", TTL, env=env, log=tmp_path / "worker.log")
    wait_until(
        lambda: (
            [one.get_state() for one in Worker.all(redis_server.client())] == [WorkerStatus.IDLE]
        ),
        seconds=PATIENCE_SECONDS,
        what="a worker that is well beyond its birth: only then it heeds signals",
    )
    yield process
    if process.running:
        process.kill_with_children()


def _parts() -> dict[str, str]:
    answer = Client().get("/readyz")
    parts: dict[str, str] = answer.json()["parts"]
    assert (answer.status_code == 200) == (set(parts.values()) == {"ok"})
    return parts


def _wait_for_worker() -> None:
    wait_until(
        lambda: _parts()["worker"] == "ok", seconds=PATIENCE_SECONDS, what="a worker in /readyz"
    )


@pytest.fixture
def check(transactional_db: None, tmp_path: Path) -> Check:
    """A check of an artifact that fits no device of this type: a job that touches neither device nor file."""
    device = Device.objects.create(
        name="d", device_type="here", driver=Device.Driver.LOCAL, root=str(tmp_path)
    )
    artifact = new_artifact("a", device_types=["elsewhere"], payload_type="")
    return Check.objects.create(
        artifact=artifact, device=device, requested_by_name="a test", requested_at=device.created_at
    )


def _wait_for_verdict(check: Check) -> None:
    wait_until(
        lambda: Check.objects.get(pk=check.pk).verdict == Check.Verdict.REFUSED,
        seconds=PATIENCE_SECONDS,
        what="the check's verdict",
    )


def test_a_worker_goes_on_after_redis_was_emptied_and_is_known_again(
    worker: PortalProcess, redis_server: RedisServer, check: Check
) -> None:
    redis_server.empty()
    assert _parts()["worker"] == "failed", "nobody knows of it"
    _wait_for_worker()
    dispatch.start_checks([check])
    _wait_for_verdict(check)
    assert worker.running


def test_an_idle_worker_waits_for_a_redis_that_is_away(
    worker: PortalProcess, redis_server: RedisServer, check: Check
) -> None:
    redis_server.stop()
    assert _parts() == {"database": "ok", "migrations": "ok", "redis": "failed", "worker": "failed"}
    redis_server.start()
    _wait_for_worker()
    dispatch.start_checks([check])
    _wait_for_verdict(check)
    assert worker.running


def test_a_worker_that_was_stopped_is_not_counted(worker: PortalProcess) -> None:
    os.kill(worker.pid, signal.SIGTERM)
    wait_until(lambda: not worker.running, seconds=PATIENCE_SECONDS, what="the worker's end")
    assert _parts()["worker"] == "failed"
