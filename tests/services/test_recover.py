"""Redis may forget everything at any time: what should be running is put back, exactly that, and once."""

from __future__ import annotations

import django_rq
import pytest
from django.utils import timezone

from tests.environment.redis import RedisServer
from tests.journal.rows import brought_to, held, let_lapse, new_artifact, new_device, new_upgrade
from tests.services.people import operator
from updates import dispatch, lease
from updates.journal import request_cancel
from updates.machine import State
from updates.models import Check, Upgrade
from updates.services.checks import request_checks
from updates.services.recover import recover
from updates.services.upgrades import apply_artifact

pytestmark = pytest.mark.database(transaction=True)


def on_the_queue() -> list[str]:
    return sorted(django_rq.get_queue(dispatch.QUEUE).get_job_ids())


def jobs_of(*upgrades: Upgrade) -> list[str]:
    for upgrade in upgrades:
        upgrade.refresh_from_db()
    return sorted(dispatch.job_id(upgrade) for upgrade in upgrades)


def fleet_in_every_situation() -> dict[str, Upgrade]:
    """Nobody's and somebody's, waiting and running, over and in the hands of others."""
    found = {
        name: new_upgrade()
        for name in ("due", "held", "lapsed", "handed over", "over", "claimed", "device's own")
    }
    found["behind it"] = new_upgrade(found["due"].device)
    found["behind the held"] = new_upgrade(found["held"].device)
    brought_to(State.INSTALLING, held(found["held"]))
    brought_to(State.INSTALLING, held(found["lapsed"]))
    let_lapse(found["lapsed"])
    lease.release(
        str(found["handed over"].pk),
        fence=brought_to(State.VERIFYING, held(found["handed over"])).fence,
    )
    request_cancel(str(found["over"].pk), by="ann")
    held(found["claimed"])
    Upgrade.objects.filter(pk=found["device's own"].pk).update(
        executor=Upgrade.Executor.DEVICE, state=State.INSTALLING
    )
    return found


def test_after_an_emptied_queue_exactly_what_is_missing_is_put_back(
    redis_server: RedisServer,
) -> None:
    found = fleet_in_every_situation()
    redis_server.empty()

    missing = recover()

    expected = [found["due"], found["lapsed"], found["handed over"]]
    assert {row.pk for row in missing} == {row.pk for row in expected}
    assert on_the_queue() == jobs_of(*expected)


def test_what_is_on_the_queue_is_not_put_there_again(redis_server: RedisServer) -> None:
    fleet_in_every_situation()
    redis_server.empty()
    recover()
    before = on_the_queue()

    assert recover() == []
    assert on_the_queue() == before


def test_a_worker_that_died_leaves_its_job_s_id_behind_and_hides_nothing(
    redis_server: RedisServer,
) -> None:
    """Its job still counts as running in Redis; the next holder's job has another id."""
    upgrade = apply_artifact(
        device=new_device(), artifact=new_artifact(), actor=operator(), reason="a fix"
    )
    queue = django_rq.get_queue(dispatch.QUEUE)
    job = queue.fetch_job(dispatch.job_id(upgrade))
    assert job is not None
    queue.remove(job)
    queue.connection.zadd(
        queue.started_job_registry.key, {f"{job.id}:1": timezone.now().timestamp() + 1e6}
    )
    brought_to(State.INSTALLING, held(upgrade))
    let_lapse(upgrade)

    assert [row.pk for row in recover()] == [upgrade.pk]


def test_without_redis_orders_are_taken_and_started_when_it_is_back(
    redis_server: RedisServer,
) -> None:
    redis_server.stop()
    upgrade = apply_artifact(
        device=new_device(), artifact=new_artifact(), actor=operator(), reason="a fix"
    )
    assert recover() == [upgrade]

    redis_server.start()
    assert on_the_queue() == []
    recover()
    assert on_the_queue() == jobs_of(upgrade)


def test_an_order_is_on_the_queue_once_and_at_once(redis_server: RedisServer) -> None:
    upgrade = apply_artifact(
        device=new_device(), artifact=new_artifact(), actor=operator(), reason="a fix"
    )

    assert on_the_queue() == jobs_of(upgrade)
    assert recover() == []


def test_the_next_one_is_enqueued_when_the_one_before_it_is_over(
    redis_server: RedisServer,
) -> None:
    first = new_upgrade()
    second, third = new_upgrade(first.device), new_upgrade(first.device)
    journal = brought_to(State.CLEANING, held(first))
    assert on_the_queue() == []

    brought_to(State.FINISHED, journal)

    assert on_the_queue() == jobs_of(second)
    assert third.pk not in {row.pk for row in recover()}


def test_checks_that_nobody_carries_out_are_put_back_too(redis_server: RedisServer) -> None:
    (check,) = request_checks(artifact=new_artifact(), devices=[new_device()], actor=operator())
    redis_server.empty()

    recover()
    recover()

    check = Check.objects.get(pk=check.pk)
    assert on_the_queue() == [dispatch.check_job_id(check)]
