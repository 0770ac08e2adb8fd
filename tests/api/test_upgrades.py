"""Upgrades over the API: the verbs, the history and the timeline."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from devices.models import Device
from tests.api.caller import Caller
from tests.api.conftest import MakeArtifact, MakeDevice
from tests.api.problems import assert_problem
from updates.models import Artifact, Upgrade

pytestmark = pytest.mark.database


@pytest.fixture
def artifact(make_artifact: MakeArtifact) -> Artifact:
    return make_artifact()


@pytest.fixture
def device(make_device: MakeDevice) -> Device:
    return make_device()


def end(upgrade: dict[str, Any], outcome: str) -> None:
    """The upgrade is over, as if workers had carried it out."""
    now = timezone.now()
    Upgrade.objects.filter(pk=upgrade["id"]).update(
        state="finished",
        outcome=outcome,
        started_at=now - timedelta(minutes=1),
        finished_at=now,
        facts={"supports_rollback": True},
    )


def apply(caller: Caller, *, device: Device, artifact: Artifact) -> dict[str, Any]:
    answer = caller.post(
        "upgrades", device=device.pk, artifact=str(artifact.pk), reason="A new page"
    )
    assert answer.status == 201, answer.body
    found: dict[str, Any] = answer.body
    assert caller.get(answer.headers["Location"]).body["id"] == found["id"]
    return found


def test_an_applied_artifact_is_an_upgrade_that_waits(
    operator: Caller, device: Device, artifact: Artifact
) -> None:
    upgrade = apply(operator, device=device, artifact=artifact)

    assert upgrade["state"] == "pending"
    assert (upgrade["outcome"], upgrade["sentence"]) == (None, "")
    assert upgrade["device"] == {"id": device.pk, "name": device.name}
    assert upgrade["artifact"] == {"id": str(artifact.pk), "name": "release-1"}
    assert (upgrade["reason"], upgrade["requested_by"]) == ("A new page", "alice")
    assert upgrade["waits_for"] is None


def test_an_upgrade_that_waits_for_another_names_it(
    operator: Caller, device: Device, artifact: Artifact
) -> None:
    first = apply(operator, device=device, artifact=artifact)
    operator.post("deployments", artifact=str(artifact.pk), devices=[device.pk], reason="Fix it")

    newest = operator.get("upgrades").body["results"][0]
    second = operator.get(f"upgrades/{newest['id']}").body

    assert second["id"] != first["id"]
    assert second["waits_for"] == first["id"]


def test_a_busy_device_answers_with_its_holder(
    operator: Caller, device: Device, artifact: Artifact
) -> None:
    first = apply(operator, device=device, artifact=artifact)

    answer = operator.post("upgrades", device=device.pk, artifact=str(artifact.pk), reason="Again")

    assert_problem(answer, status=409, code="UPD-104")
    assert answer.body["holder"] == first["id"]
    assert answer.body["retryable"]
    assert Upgrade.objects.count() == 1


def test_an_artifact_that_does_not_fit_is_refused(
    operator: Caller, make_device: MakeDevice, artifact: Artifact
) -> None:
    teapot = make_device(device_type="teapot")

    answer = operator.post("upgrades", device=teapot.pk, artifact=str(artifact.pk), reason="Try")

    assert_problem(answer, status=422, code="UPD-101")
    assert "teapot" in answer.body["detail"]
    assert not Upgrade.objects.exists()


@pytest.mark.parametrize("missing", ["device", "artifact", "reason"])
def test_an_order_without_all_its_parts_names_the_missing_one(
    operator: Caller, device: Device, artifact: Artifact, missing: str
) -> None:
    order = {"device": device.pk, "artifact": str(artifact.pk), "reason": "Try"}
    del order[missing]

    answer = operator.post("upgrades", **order)

    assert_problem(answer, status=400, code="API-400")
    assert list(answer.body["errors"]) == [missing]


def test_a_waiting_upgrade_that_is_cancelled_is_over(
    operator: Caller, device: Device, artifact: Artifact
) -> None:
    upgrade = apply(operator, device=device, artifact=artifact)

    answer = operator.post(f"upgrades/{upgrade['id']}/cancel", reason="Not today")

    assert answer.status == 200, answer.body
    assert (answer.body["state"], answer.body["outcome"]) == ("finished", "cancelled")
    assert answer.body["sentence"] == "It was cancelled before anything was changed."


def test_a_cancel_that_comes_too_late_is_refused(
    operator: Caller, device: Device, artifact: Artifact
) -> None:
    upgrade = apply(operator, device=device, artifact=artifact)
    end(upgrade, "succeeded")

    answer = operator.post(f"upgrades/{upgrade['id']}/cancel", reason="Not today")

    assert_problem(answer, status=409, code="UPD-102")


def test_an_upgrade_that_nothing_else_ends_is_ended_by_force(
    operator: Caller, device: Device, artifact: Artifact
) -> None:
    upgrade = apply(operator, device=device, artifact=artifact)
    path = f"upgrades/{upgrade['id']}/force-cancel"

    without = operator.post(path)
    answer = operator.post(path, reason="It hangs")
    again = operator.post(path, reason="It hangs")

    assert_problem(without, status=400, code="API-400")
    assert answer.status == 200, answer.body
    assert (answer.body["state"], answer.body["outcome"]) == ("finished", "cancelled")
    assert_problem(again, status=409, code="UPD-102")


def test_what_does_not_move_is_listed_with_the_reason_and_can_be_put_back(
    operator: Caller, device: Device, artifact: Artifact
) -> None:
    first = apply(operator, device=device, artifact=artifact)
    operator.post("deployments", artifact=str(artifact.pk), all=True, reason="Fix it")
    Upgrade.objects.filter(pk=first["id"]).update(state="installing")

    lost, waiting = operator.get("stuck-upgrades").body["results"]
    recovered = operator.post(f"upgrades/{first['id']}/recover")
    refused = operator.post(f"upgrades/{waiting['upgrade']['id']}/recover")

    assert (lost["upgrade"]["id"], lost["kind"]) == (first["id"], "unheld")
    assert (lost["can_recover"], waiting["can_recover"]) == (True, False)
    assert (waiting["waits_for"], lost["waits_for"]) == (first["id"], None)
    assert "handed over while installing" in lost["why"]
    assert recovered.status == 200, recovered.body
    assert_problem(refused, status=409, code="UPD-104")
    assert refused.body["holder"] == first["id"]


def test_the_stuck_are_found_by_kind_and_page_by_page(
    operator: Caller, device: Device, artifact: Artifact
) -> None:
    ids = []
    for number in range(3):
        deployment = operator.post(
            "deployments", artifact=str(artifact.pk), all=True, reason=f"Fix {number}"
        )
        (row,) = operator.get("upgrades", deployment=deployment.body["id"]).body["results"]
        ids.append(row["id"])
    page = operator.get("stuck-upgrades", limit=2).body
    rest = operator.get(page["next"]).body

    assert [row["upgrade"]["id"] for row in page["results"] + rest["results"]] == ids
    assert operator.get("stuck-upgrades", kind="unheld").body["results"] == []
    assert_problem(operator.get("stuck-upgrades", kind="odd"), status=400, code="API-400")


def test_a_failed_upgrade_is_retried_by_a_new_one(
    operator: Caller, device: Device, artifact: Artifact
) -> None:
    upgrade = apply(operator, device=device, artifact=artifact)
    early = operator.post(f"upgrades/{upgrade['id']}/retry", reason="Again")
    end(upgrade, "failed")

    answer = operator.post(f"upgrades/{upgrade['id']}/retry", reason="Again")

    assert_problem(early, status=409, code="UPD-102")
    assert answer.status == 201, answer.body
    assert answer.body["retries"] == upgrade["id"]
    assert answer.headers["Location"].endswith(f"/api/v1/upgrades/{answer.body['id']}")


def test_an_upgrade_that_succeeded_is_not_retried_but_rolled_back(
    operator: Caller, device: Device, artifact: Artifact
) -> None:
    upgrade = apply(operator, device=device, artifact=artifact)
    end(upgrade, "succeeded")

    retry = operator.post(f"upgrades/{upgrade['id']}/retry", reason="Again")
    undo = operator.post(f"upgrades/{upgrade['id']}/roll-back", reason="It was worse")

    assert_problem(retry, status=422, code="FW-100")
    assert undo.status == 201, undo.body
    assert undo.body["undoes"] == upgrade["id"]


def test_what_changed_nothing_cannot_be_rolled_back(
    operator: Caller, device: Device, artifact: Artifact
) -> None:
    upgrade = apply(operator, device=device, artifact=artifact)
    end(upgrade, "failed")

    answer = operator.post(f"upgrades/{upgrade['id']}/roll-back", reason="It was worse")

    assert_problem(answer, status=409, code="UPD-103")


def test_the_history_is_found_by_the_words_of_its_filter(
    operator: Caller, make_device: MakeDevice, artifact: Artifact
) -> None:
    one, two = make_device(), make_device()
    first = apply(operator, device=one, artifact=artifact)
    second = apply(operator, device=two, artifact=artifact)
    end(first, "broken")

    def found(**words: str | list[str]) -> list[str]:
        return [row["id"] for row in operator.get("upgrades", **words).body["results"]]

    assert found() == [second["id"], first["id"]]
    assert found(outcome="broken") == [first["id"]]
    assert found(device=two.name) == [second["id"]]
    assert found(state=["pending", "finished"], q="release") == [second["id"], first["id"]]
    assert_problem(operator.get("upgrades", outcome="splendid"), status=400, code="API-400")


def test_the_timeline_goes_on_where_its_cursor_says(
    operator: Caller, device: Device, artifact: Artifact
) -> None:
    upgrade = apply(operator, device=device, artifact=artifact)
    path = f"upgrades/{upgrade['id']}/events"
    first = operator.get(path, after=0).body
    quiet = operator.get(path, after=first["cursor"]).body
    operator.post(f"upgrades/{upgrade['id']}/cancel", reason="Not today")
    pages = [operator.get(path, after=first["cursor"], limit=1).body]
    while not pages[-1]["is_end"]:
        pages.append(operator.get(path, after=pages[-1]["cursor"], limit=1).body)

    assert [event["seq"] for event in first["events"]] == [1]
    assert first["events"][0]["to_state"] == "pending"
    assert not first["is_end"]
    assert quiet == {"events": [], "cursor": 1, "is_end": False}
    assert [event["seq"] for page in pages for event in page["events"]] == [2, 3]
    assert pages[-1]["events"][-1]["to_state"] == "finished"


@pytest.mark.parametrize("words", [{"after": -1}, {"after": "x"}, {"limit": 201}, {"after": 2**70}])
def test_a_cursor_that_cannot_be_is_refused(
    operator: Caller, device: Device, artifact: Artifact, words: dict[str, str | int]
) -> None:
    upgrade = apply(operator, device=device, artifact=artifact)

    answer = operator.get(f"upgrades/{upgrade['id']}/events", **words)

    assert_problem(answer, status=400, code="API-400")
    assert list(answer.body["errors"]) == list(words)
