"""Orders that arrive twice and are carried out once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.files.storage import default_storage
from django.db import connections
from django.utils import timezone

from portal.core.idempotency import (
    KEPT,
    OrderUnderWay,
    StoredAnswer,
    Turn,
    forget_old_keys,
    take_turn,
)
from portal.core.models import AuditEvent, IdempotencyKey
from tests.api.caller import Answer, Caller
from tests.api.conftest import MakeArtifact, MakeDevice, MakeFile
from tests.api.problems import assert_problem
from updates.models import Artifact, Check, Deployment, UpdateModule, Upgrade

pytestmark = pytest.mark.database

REPLAYED = "Idempotent-Replayed"


@pytest.fixture
def order(make_device: MakeDevice, make_artifact: MakeArtifact) -> dict[str, object]:
    """What an apply asks for."""
    device, artifact = make_device(), make_artifact()
    return {"device": device.pk, "artifact": str(artifact.pk), "reason": "A new page"}


def lapse() -> None:
    """As if the portal had died while it carried out the order, some time ago."""
    IdempotencyKey.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))


def stored_files() -> set[Path]:
    return set(Path(default_storage.path("artifacts")).glob("*"))


def test_the_same_order_again_gets_the_same_answer(
    operator: Caller, order: dict[str, object]
) -> None:
    caller = operator.with_key("order-1")
    first = caller.post("upgrades", **order)
    second = caller.post("upgrades", **dict(reversed(order.items())))

    assert (first.status, second.status) == (201, 201)
    assert second.body == first.body
    assert second.headers["Location"] == first.headers["Location"]
    assert REPLAYED not in first.headers
    assert second.headers[REPLAYED] == "true"
    assert Upgrade.objects.count() == 1


def test_without_a_key_an_order_is_another_order(
    operator: Caller, order: dict[str, object]
) -> None:
    operator.post("upgrades", **order)

    assert_problem(operator.post("upgrades", **order), status=409, code="UPD-104")
    assert not IdempotencyKey.objects.exists()


Send = Callable[[Caller, Artifact], Answer]
ELSEWHERE: dict[str, Send] = {
    "another reason": lambda c, a: c.post("deployments", artifact=str(a.pk), all=True, reason="No"),
    "another address": lambda c, a: c.post(f"artifacts/{a.pk}/checks", all=True),
}


@pytest.mark.parametrize("other", ELSEWHERE)
def test_another_order_under_the_same_key_is_refused(
    operator: Caller, make_device: MakeDevice, make_artifact: MakeArtifact, other: str
) -> None:
    make_device()
    artifact = make_artifact()
    caller = operator.with_key("order-1")
    caller.post("deployments", artifact=str(artifact.pk), all=True, reason="Fix")

    answer = ELSEWHERE[other](caller, artifact)

    assert_problem(answer, status=422, code="API-IDEMPOTENCY-MISMATCH")
    assert (Deployment.objects.count(), Check.objects.count()) == (1, 0)


def test_a_key_is_the_users_own(operator: Caller, order: dict[str, object]) -> None:
    boss = Caller(User.objects.create_superuser("boss"))
    operator.with_key("order-1").post("upgrades", **order)

    answer = boss.with_key("order-1").post("upgrades", **order)

    assert_problem(answer, status=409, code="UPD-104")


def test_a_refusal_is_not_kept(operator: Caller, order: dict[str, object]) -> None:
    caller = operator.with_key("order-1")
    device, order["device"] = order["device"], 2**40

    refused = caller.post("upgrades", **order)
    accepted = caller.post("upgrades", **{**order, "device": device})

    assert_problem(refused, status=400, code="API-400")
    assert accepted.status == 201


def test_an_upload_that_is_sent_again_is_not_refused_as_uploaded_before(
    operator: Caller, mender_file: MakeFile
) -> None:
    caller, before = operator.with_key("upload-1"), stored_files()
    content = mender_file("release-1")
    first = caller.upload("artifacts", content, notes="A")
    again = caller.upload("artifacts", content, notes="A")
    other = caller.upload("artifacts", mender_file("release-2"), notes="A")

    assert again.status == 201
    assert again.body == first.body
    assert again.headers[REPLAYED] == "true"
    assert_problem(other, status=422, code="API-IDEMPOTENCY-MISMATCH")
    assert Artifact.objects.count() == len(stored_files() - before) == 1


def test_every_order_heeds_the_key(
    operator: Caller, order: dict[str, object], make_device: MakeDevice
) -> None:
    artifact = order["artifact"]
    make_device()

    def twice(path: str, **body: object) -> Answer:
        caller = operator.with_key(f"order {path}".replace(" ", "-"))
        first, second = (caller.post(path, **body) for _ in range(2))
        assert first.status < 300, first.body
        assert (second.status, second.body) == (first.status, first.body)
        assert second.headers[REPLAYED] == "true"
        return first

    twice(f"artifacts/{artifact}/checks", all=True)
    deployment = twice("deployments", artifact=artifact, all=True, reason="Fix").body["id"]
    first, second = operator.get("upgrades").body["results"]
    twice(f"upgrades/{first['id']}/cancel", reason="No")
    twice(f"upgrades/{first['id']}/retry", reason="Yes")
    twice(f"upgrades/{second['id']}/recover")
    twice(f"upgrades/{second['id']}/force-cancel", reason="It hangs")
    Upgrade.objects.filter(pk=second["id"]).update(
        outcome="succeeded", started_at=timezone.now(), facts={"supports_rollback": True}
    )
    twice(f"upgrades/{second['id']}/roll-back", reason="Worse")
    twice(f"deployments/{deployment}/cancel", reason="No")
    module = operator.with_key("module")
    answers = [module.upload("update-modules", b"#!/bin/sh\n", name="web-file") for _ in range(2)]

    assert answers[1].headers[REPLAYED] == "true"
    assert UpdateModule.objects.count() == 1
    assert AuditEvent.objects.filter(action="artifact.check").count() == 1


def test_an_order_under_way_asks_to_come_again(operator: Caller, order: dict[str, object]) -> None:
    caller = operator.with_key("order-1")
    caller.post("upgrades", **order)
    IdempotencyKey.objects.update(status=None)

    answer = caller.post("upgrades", **order)

    assert_problem(answer, status=409, code="API-IDEMPOTENCY-UNDER-WAY")
    assert answer.body["retryable"]
    assert 1 <= int(answer.headers["Retry-After"]) <= 5


CRASH = """
import os, signal, sys
import django
django.setup()
from django.contrib.auth.models import User
from django.core.files.storage import default_storage
from portal.core.idempotency import take_turn

def effect():
    User.objects.create_user("half-made")
    os.kill(os.getpid(), signal.SIGKILL)

take_turn(user=User.objects.get(username="alice"), key="k", digest="0" * 64).carry_out(effect)
"""


@pytest.mark.database(transaction=True)
def test_after_a_crash_in_between_there_was_no_effect_and_the_order_is_carried_out(
    database_url: str,
) -> None:
    alice = User.objects.create_user("alice")
    process = subprocess.run(
        [sys.executable, "-c", CRASH],
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "portal.settings",
            "DATABASE_URL": database_url,
        },
        capture_output=True,
        timeout=60,
    )
    assert process.returncode == -signal.SIGKILL, process.stderr

    assert not User.objects.filter(username="half-made").exists()
    with pytest.raises(OrderUnderWay):
        take_turn(user=alice, key="k", digest="0" * 64)
    lapse()
    turn = take_turn(user=alice, key="k", digest="0" * 64)
    assert turn.answer is None
    turn.carry_out(lambda: StoredAnswer(201, {}, "done"))
    assert take_turn(user=alice, key="k", digest="0" * 64).answer is not None


def test_who_was_overtaken_commits_nothing(operator: Caller) -> None:
    user = _user(operator)
    slow = take_turn(user=user, key="k", digest="0" * 64)
    lapse()
    fast = take_turn(user=user, key="k", digest="0" * 64)

    def effect() -> StoredAnswer:
        User.objects.create_user("made by the slow one")
        return StoredAnswer(201, {}, "slow")

    with pytest.raises(OrderUnderWay):
        slow.carry_out(effect)
    slow.give_up()
    fast.carry_out(lambda: StoredAnswer(201, {}, "fast"))

    assert not User.objects.filter(username="made by the slow one").exists()
    again = take_turn(user=user, key="k", digest="0" * 64).answer
    assert again == StoredAnswer(201, {}, "fast")


@pytest.mark.database(transaction=True)
def test_of_twins_at_the_same_time_one_is_carried_out() -> None:
    user = User.objects.create_user("alice")
    at_once = threading.Barrier(4)
    turns: list[Turn] = []
    refused: list[OrderUnderWay] = []

    def send() -> None:
        at_once.wait()
        try:
            turns.append(take_turn(user=user, key="k", digest="0" * 64))
        except OrderUnderWay as error:
            refused.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (len(turns), len(refused)) == (1, 3)


@pytest.mark.parametrize("key", ["", "two words", "x" * 201, "schlüssel"])
def test_a_key_that_is_none_is_refused(
    operator: Caller, order: dict[str, object], key: str
) -> None:
    answer = operator.with_key(key).post("upgrades", **order)

    assert_problem(answer, status=400, code="API-400")
    assert list(answer.body["errors"]) == ["Idempotency-Key"]
    assert not Upgrade.objects.exists()


def test_answers_are_kept_for_a_day(operator: Caller, order: dict[str, object]) -> None:
    caller = operator.with_key("order-1")
    caller.post("upgrades", **order)
    assert forget_old_keys() == 0
    IdempotencyKey.objects.update(created_at=timezone.now() - KEPT - timedelta(minutes=1))

    assert_problem(caller.post("upgrades", **order), status=409, code="UPD-104")
    assert forget_old_keys() == 0
    take_turn(user=_user(operator), key="order-2", digest="0" * 64)
    IdempotencyKey.objects.update(created_at=timezone.now() - KEPT - timedelta(minutes=1))
    assert forget_old_keys() == 1


def _user(caller: Caller) -> User:
    assert caller.user is not None
    return caller.user
