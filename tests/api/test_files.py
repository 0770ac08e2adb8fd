"""Lists as files, and a fleet from a file."""

from __future__ import annotations

import csv
import json
from typing import Any

import pytest
from rest_framework.response import Response

from devices.models import Device
from tests.api.caller import Caller
from tests.api.conftest import MakeArtifact, MakeDevice
from tests.api.problems import assert_problem
from updates.models import Upgrade

pytestmark = pytest.mark.database

FLEET = b"name,device_type,driver,root\nbox-1,box,local,/srv/1\nbox-2,box,local,/srv/2\n"


def download(caller: Caller, path: str, **query: str) -> tuple[Response, str]:
    """A file as a program that accepts only files would fetch it."""
    answer: Any = caller.client.get(f"/api/v1/{path}", query, HTTP_ACCEPT="text/csv")
    assert answer.status_code == 200, answer.content
    return answer, answer.getvalue().decode()


def test_the_history_is_exported_as_far_as_the_filter_finds_it(
    operator: Caller, make_device: MakeDevice, make_artifact: MakeArtifact
) -> None:
    artifact = make_artifact()
    for device in (make_device(), make_device()):
        order = {"device": device.pk, "artifact": str(artifact.pk), "reason": "=1+1"}
        operator.post("upgrades", **order)

    answer, text = download(operator, "upgrades/export")
    _, found = download(operator, "upgrades/export", form="jsonl", device="box-002")
    rows = list(csv.DictReader(text.splitlines()))

    assert answer.streaming
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert [row["device"] for row in rows] == ["box-002", "box-001"]
    assert rows[0]["reason"] == "'=1+1"
    assert json.loads(found)["id"] == str(Upgrade.objects.get(device__name="box-002").pk)
    assert_problem(operator.get("upgrades/export", form="xlsx"), status=400, code="API-400")
    assert_problem(operator.get("upgrades/export", outcome="odd"), status=400, code="API-400")


def test_exported_devices_are_imported_again_without_a_change(
    operator: Caller, make_device: MakeDevice
) -> None:
    make_device()
    make_device()
    _, text = download(operator, "devices/export")

    answer = operator.upload("devices/import", text.encode(), reason="The same again")

    assert answer.status == 200, answer.body
    assert answer.body["counts"] == {"new": 0, "changed": 0, "unchanged": 2, "wrong": 0}


def test_a_preview_of_an_import_changes_nothing(operator: Caller) -> None:
    wrong = FLEET + b"box-3,box,teleport,/srv/3\n"

    answer = operator.upload("devices/import/preview", wrong)
    refused = operator.upload("devices/import", wrong, reason="More boxes")

    assert answer.status == 200, answer.body
    assert answer.body["counts"] == {"new": 2, "changed": 0, "unchanged": 0, "wrong": 1}
    assert [(row["line"], row["name"]) for row in answer.body["wrong"]] == [(4, "box-3")]
    assert_problem(refused, status=422, code="FW-100")
    assert not Device.objects.exists()


def test_an_import_is_carried_out_once(operator: Caller) -> None:
    caller = operator.with_key("import-1")

    answers = [caller.upload("devices/import", FLEET, reason="More boxes") for _ in range(2)]

    assert [answer.body["counts"]["new"] for answer in answers] == [2, 2]
    assert answers[1].headers["Idempotent-Replayed"] == "true"
    assert Device.objects.count() == 2


def test_what_is_no_file_of_devices_is_refused(operator: Caller) -> None:
    unknown = operator.upload("devices/import/preview", b"name,colour\nbox-1,red\n")
    large = operator.upload("devices/import/preview", FLEET + b"\n" * 11 * 2**20)

    assert_problem(unknown, status=422, code="FW-100")
    assert "colour" in unknown.body["detail"]
    assert_problem(large, status=422, code="FW-100")
