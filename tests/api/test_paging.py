"""Long lists, page by page."""

from __future__ import annotations

import base64
from urllib.parse import quote

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.api.caller import Caller
from tests.api.conftest import MakeArtifact, MakeDevice
from tests.api.problems import assert_problem

pytestmark = pytest.mark.database


def test_the_pages_hold_every_row_once(operator: Caller, make_device: MakeDevice) -> None:
    names = [make_device().name for _ in range(7)]
    seen: list[str] = []
    address: str | None = "devices?limit=3"
    while address:
        page = operator.get(address).body
        assert len(page["results"]) <= 3
        seen += [row["name"] for row in page["results"]]
        address = page["next"]

    assert seen == names


def test_rows_that_come_meanwhile_do_not_shift_the_pages(
    operator: Caller, make_device: MakeDevice, make_artifact: MakeArtifact
) -> None:
    artifact = make_artifact()
    for _ in range(4):
        device = make_device()
        operator.post("upgrades", device=device.pk, artifact=str(artifact.pk), reason="Fix")
    first = operator.get("upgrades?limit=2").body
    operator.post("upgrades", device=make_device().pk, artifact=str(artifact.pk), reason="Fix")

    second = operator.get(first["next"]).body
    back = operator.get(second["previous"]).body

    seen = [row["device"]["name"] for row in first["results"] + second["results"]]
    assert seen == ["box-004", "box-003", "box-002", "box-001"]
    assert back["results"] == first["results"]


def test_a_page_has_at_most_200_rows(operator: Caller, make_device: MakeDevice) -> None:
    for _ in range(201):
        make_device()

    assert len(operator.get("devices", limit=100_000).body["results"]) == 200
    assert len(operator.get("devices").body["results"]) == 50


@pytest.mark.parametrize("path", ["devices", "upgrades", "update-modules", "audit-events"])
@pytest.mark.parametrize("position", ["", "p=x", "p=%00", "p=9" + "9" * 40, "o=-5", "o=x", "%ff"])
def test_a_cursor_that_was_never_given_is_no_bug(
    operator: Caller, path: str, position: str
) -> None:
    cursor = base64.b64encode(position.encode()).decode()

    answer = operator.get(f"{path}?cursor={quote(cursor)}")

    if answer.status != 200:
        assert_problem(answer, status=404, code="API-404")


def test_a_longer_page_asks_no_more_questions(
    operator: Caller, make_device: MakeDevice, make_artifact: MakeArtifact
) -> None:
    artifact = make_artifact()
    for _ in range(10):
        device = make_device()
        operator.post("upgrades", device=device.pk, artifact=str(artifact.pk), reason="Fix")

    def queries(path: str) -> int:
        with CaptureQueriesContext(
            connection,
        ) as asked:
            assert operator.get(path).status == 200
        return len(asked)

    assert queries("upgrades?limit=10") == queries("upgrades?limit=1")
    assert queries("devices?limit=10") == queries("devices?limit=1")
