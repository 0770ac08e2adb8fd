"""Artifacts put together over the API: the page's forms, and the same services."""

from __future__ import annotations

from typing import Any

import pytest

from portal.core.actors import PORTAL
from tests.api.caller import Answer, Caller
from tests.api.problems import assert_problem
from updates.models import Artifact
from updates.services.keys import Generated, generate_signing_key

pytestmark = pytest.mark.database

FIELDS = {"name": "app-1", "device_types": "box crate", "folder": "/etc/app"}


def build(caller: Caller, kind: str = "single-file", **fields: str) -> Answer:
    return caller.upload(f"artifacts/build/{kind}", b"volume=3\n", **(FIELDS | fields))


def test_an_artifact_of_one_file_is_built_and_kept(operator: Caller) -> None:
    answer = build(operator, notes="For Friday")
    assert answer.status == 201
    body: dict[str, Any] = operator.get(answer.headers["Location"]).body
    assert (body["payload_type"], body["device_types"]) == ("single-file", ["box", "crate"])
    assert (body["notes"], body["is_signed"]) == ("For Friday", False)


def test_a_device_type_with_blanks_stands_in_quotes(operator: Caller) -> None:
    body = build(operator, device_types='box, "Raspberry Pi 4" crate').body
    assert body["device_types"] == ["box", "Raspberry Pi 4", "crate"]


def test_it_is_signed_when_a_key_is_named(operator: Caller) -> None:
    key = generate_signing_key(name="house", kind=Generated.ECDSA, actor=PORTAL)
    assert build(operator, key=str(key.pk)).body["signed_by"] == "house"


def test_what_is_wrong_is_named_by_its_field(operator: Caller) -> None:
    answer = build(operator, name="", device_types="")
    assert answer.status == 400
    assert {"name", "device_types"} <= set(str(answer.body).replace("'", " ").split())
    answer = build(operator, colour="blue")
    assert (answer.status, "colour" in str(answer.body)) == (400, True)
    assert_problem(build(operator, kind="bootloader"), status=404, code="API-404")
    assert not Artifact.objects.exists()


def test_sent_again_with_its_key_it_is_built_once(operator: Caller) -> None:
    first, again = (build(operator.with_key("one")) for _ in range(2))
    assert (first.body, Artifact.objects.count()) == (again.body, 1)


def test_a_viewer_builds_nothing(viewer: Caller) -> None:
    assert build(viewer).status == 403
    assert not Artifact.objects.exists()
