"""Repositories over the API."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.api.caller import Caller
from tests.api.problems import assert_problem
from tests.environment.index_server import IndexServer, index_server, package
from updates.models import Repository

pytestmark = pytest.mark.database


@pytest.fixture
def server() -> Iterator[IndexServer]:
    with index_server() as served:
        served.publish(package("shop", "1.0.0"))
        yield served


def test_one_is_added_changed_fetched_and_removed(operator: Caller, server: IndexServer) -> None:
    answer = operator.post("repositories", name="own", url=server.url)
    assert (answer.status, answer.body["packages"]) == (201, 1)
    assert "index" not in answer.body
    place = answer.headers["Location"]
    assert operator.get(place).body == answer.body

    changed = operator.patch(place, is_testing=True)
    assert (changed.body["is_enabled"], changed.body["is_testing"]) == (True, True)
    asked = operator.post(f"repositories/{answer.body['id']}/fetch")
    assert (asked.status, asked.body["is_being_fetched"]) == (202, True)
    gone = operator.delete(f"repositories/{answer.body['id']}?reason=Old")
    assert gone.status == 204
    assert not Repository.objects.exists()


def test_why_one_is_not_added_has_a_word(operator: Caller, server: IndexServer) -> None:
    answer = operator.post("repositories", name="own", url=f"{server.url}/nothing")
    assert_problem(answer, status=422, code="UPD-121")
    assert answer.body["rule"] == "repodata_not_found"
