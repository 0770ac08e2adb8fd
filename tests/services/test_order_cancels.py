"""All of a large order is cancelled: nothing of it begins any more, and its upgrades hear of it piece by piece."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from devices.models import Device
from portal.core.actors import Actor
from portal.core.models import AuditEvent
from tests.e2e.portal_process import PortalProcess
from tests.environment.redis import RedisServer
from tests.environment.waiting import wait_until
from tests.journal.rows import arrows, brought_to, held, new_artifact, new_device, numbers
from tests.pulled.pulling import Pulling
from tests.services.people import operator
from updates import dispatch, jobs
from updates.machine import Outcome, State
from updates.models import Deployment, Upgrade
from updates.services import order_cancels
from updates.services.deployments import cancel_deployment, deploy_artifact
from updates.services.order_cancels import recover_order_cancels
from updates.services.upgrades import retry_upgrade

pytestmark = pytest.mark.database(transaction=True)


def deployed(count: int, actor: Actor) -> Deployment:
    """An order to so many devices, and to those that were there; none of them has begun."""
    for _ in range(count):
        new_device()
    return deploy_artifact(
        artifact=new_artifact(), devices=Device.objects.all(), actor=actor, reason="all"
    )


@pytest.fixture
def actor() -> Actor:
    return operator()


def states(deployment: Deployment) -> dict[str, int]:
    found: dict[str, int] = {}
    for state in deployment.upgrades.values_list("state", flat=True):
        found[state] = found.get(state, 0) + 1
    return found


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if ten were many."""
    monkeypatch.setattr(order_cancels, "AT_ONCE", 3)
    monkeypatch.setattr(order_cancels, "PIECE", 4)


def test_the_request_of_a_large_cancel_is_short_and_pieces_do_the_rest(
    redis_server: RedisServer, small_pieces: None, actor: Actor
) -> None:
    deployment = deployed(10, actor)
    redis_server.empty()

    with CaptureQueriesContext(connection) as queries:
        assert cancel_deployment(deployment=deployment, actor=actor, reason="Wrong one") == 10
    assert len(queries) < 12
    assert states(deployment) == {State.PENDING: 10}, "the wish alone is on record"
    entry = AuditEvent.objects.get(action="deployment.cancel")
    assert (entry.reason, entry.data) == ("Wrong one", {"upgrades": 10})

    assert dispatch.queued() == {f"cancel-{deployment.pk}-10"}
    assert jobs.run_order_cancel(str(deployment.pk)) == "6 left"
    assert f"cancel-{deployment.pk}-6" in dispatch.queued()
    assert jobs.run_order_cancel(str(deployment.pk)) == "2 left"
    assert jobs.run_order_cancel(str(deployment.pk)) == "0 left"
    assert jobs.run_order_cancel(str(deployment.pk)) == "0 left", "a job too many"
    deployment.refresh_from_db()
    assert deployment.cancel_done_at is not None
    for upgrade in deployment.upgrades.all():
        assert (upgrade.outcome, upgrade.cancel_requested_by) == (Outcome.CANCELLED, "olga")
        assert arrows(upgrade)[1:] == [(State.PENDING, "cancel", State.FINISHED)]
        assert numbers(upgrade) == [1, 2, 3]
        assert (upgrade.last_seq, upgrade.state_seq, upgrade.progress) == (3, 3, 100)
        assert [event.text for event in upgrade.events.all()][1] == "olga asked for a cancel."
    assert not Device.objects.exclude(last_seen=None).exists(), "nobody has asked them anything"


def test_a_piece_takes_two_statements_for_each_that_waits_and_a_few_for_all(actor: Actor) -> None:
    deployment = deployed(60, actor)

    with CaptureQueriesContext(connection) as queries:
        cancel_deployment(deployment=deployment, actor=actor)
    assert states(deployment) == {State.FINISHED: 60}
    assert len(queries) <= 60 * 2 + 30


def test_what_was_called_off_does_not_begin_before_its_piece_has_come(
    redis_server: RedisServer, small_pieces: None, actor: Actor
) -> None:
    deployment = deployed(5, actor)
    cancel_deployment(deployment=deployment, actor=actor)
    first = deployment.upgrades.order_by("created_at", "id")[0]

    assert jobs.run_artifact(str(first.pk)) == "finished"
    first.refresh_from_db()
    assert first.outcome == Outcome.CANCELLED
    assert arrows(first)[1:] == [(State.PENDING, "cancel", State.FINISHED)]


@pytest.mark.parametrize(
    ("state", "ends"),
    [
        (State.FINISHED, "finished"),
        (State.COMMITTING, "held by another worker"),
        (State.INSTALLING, "held by another worker"),
    ],
)
def test_who_finds_that_somebody_was_quicker_ends_without_an_error(
    redis_server: RedisServer, small_pieces: None, actor: Actor, state: State, ends: str
) -> None:
    """Between this worker's look and its cancel another one has begun it, and is far by then."""
    deployment = deployed(5, actor)
    cancel_deployment(deployment=deployment, actor=actor)
    first = deployment.upgrades.order_by("created_at", "id")[0]
    is_brought = False

    def quicker(execute: Callable[..., Any], *query: Any) -> Any:  # noqa: ANN401 - Django's
        nonlocal is_brought
        found = execute(*query)
        if not is_brought and str(query[0]).startswith("SELECT"):
            is_brought = True
            brought_to(state, held(first))
        return found

    with connection.execute_wrapper(quicker):
        assert jobs.run_artifact(str(first.pk)) == ends
    assert is_brought


def test_a_device_that_asks_is_not_given_what_was_called_off(
    redis_server: RedisServer, small_pieces: None, actor: Actor
) -> None:
    device = Pulling()
    deployment = deployed(5, actor)
    mine = deployment.upgrades.filter(device=device.row)
    assert mine.count() == 1
    cancel_deployment(deployment=deployment, actor=actor)

    assert device.ask().status_code == 204
    assert mine.get().outcome == Outcome.CANCELLED


def test_what_runs_hears_of_it_before_what_waits_and_a_job_that_wakes_what_rests(
    redis_server: RedisServer, small_pieces: None, actor: Actor
) -> None:
    deployment = deployed(6, actor)
    running = deployment.upgrades.order_by("created_at", "id")[0]
    brought_to(State.INSTALLING, held(running))
    cancel_deployment(deployment=deployment, actor=actor)
    redis_server.empty()
    jobs.run_order_cancel(str(deployment.pk))

    running.refresh_from_db()
    assert running.cancel_requested_by == "olga"
    assert dispatch.job_id(running) in dispatch.queued()


def test_a_retry_after_the_cancel_is_not_meant(
    redis_server: RedisServer, small_pieces: None, actor: Actor
) -> None:
    deployment = deployed(5, actor)
    cancel_deployment(deployment=deployment, actor=actor)
    while jobs.run_order_cancel(str(deployment.pk)) != "0 left":
        pass
    again = retry_upgrade(upgrade=deployment.upgrades.all()[0], actor=actor, reason="This one")
    recover_order_cancels(set())
    again.refresh_from_db()
    assert (again.deployment, again.state) == (deployment, State.PENDING)
    assert order_cancels.called_off_by(again) == ""

    assert cancel_deployment(deployment=deployment, actor=actor) == 1, "said again it is meant"
    again.refresh_from_db()
    assert again.outcome == Outcome.CANCELLED


def hang_in_the_middle(_finished: Upgrade) -> None:
    """The third end that it hears of is the last thing that its process does."""
    heard = Path(os.environ["HEARD"])
    heard.write_text(f"{heard.read_text() if heard.exists() else ''}x")
    while heard.read_text() == "xxx":
        time.sleep(1)


IN_A_WORKER = """
from django.conf import settings
from updates import jobs
settings.UPGRADE_FINISHED.append("tests.services.test_order_cancels.hang_in_the_middle")
jobs.run_order_cancel("{order}")
"""


def test_a_piece_whose_worker_was_killed_is_done_again(
    redis_server: RedisServer, database_url: str, small_pieces: None, actor: Actor, tmp_path: Path
) -> None:
    deployment, heard = deployed(10, actor), tmp_path / "heard"
    cancel_deployment(deployment=deployment, actor=actor)
    redis_server.empty()
    env = {"DATABASE_URL": database_url, "REDIS_URL": redis_server.url, "HEARD": str(heard)}
    code = IN_A_WORKER.format(order=deployment.pk)
    worker = PortalProcess("shell", "-c", code, env=env, log=tmp_path / "worker.log")
    wait_until(
        lambda: heard.exists() and heard.read_text() == "xxx",
        seconds=60,
        what="a piece that is half done",
    )
    worker.kill_with_children()
    assert states(deployment) == {State.PENDING: 10}, "half a piece is none"

    recover_order_cancels(dispatch.queued())
    assert dispatch.queued() == {f"cancel-{deployment.pk}-10"}
    while jobs.run_order_cancel(str(deployment.pk)) != "0 left":
        pass
    assert states(deployment) == {State.FINISHED: 10}
    assert not Upgrade.objects.exclude(last_seq=3).exists(), "each was told once"
    redis_server.empty()
    recover_order_cancels(set())
    assert dispatch.queued() == set()
