"""`manage.py repository`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cli.conftest import run
from tests.environment.index_server import IndexServer, index_server, package
from updates.models import Repository

pytestmark = pytest.mark.database


@pytest.fixture
def server() -> Iterator[IndexServer]:
    with index_server() as served:
        served.publish(package("shop", "1.0.0"))
        yield served


def test_one_is_added_listed_changed_fetched_and_removed(server: IndexServer) -> None:
    assert run("repository", "add", "own", server.url).out == "own publishes 1 modules.\n"
    assert run("repository", "change", "own", "--testing").status == 0
    (row,) = run("repository", "list", "--json").json
    assert (row["name"], row["is_enabled"], row["is_testing"]) == ("own", True, True)
    assert run("repository", "change", "own", "--no-testing", "--no-enabled").status == 0
    assert "not enabled" in run("repository", "fetch", "own").error
    assert run("repository", "change", "own", "--enabled").status == 0
    assert run("repository", "fetch", "own").out == "own is being fetched.\n"
    assert server.url in run("repository", "list").out
    assert run("repository", "remove", "own", "--reason", "Old").status == 0
    assert not Repository.objects.exists()


def test_a_refusal_is_a_sentence(server: IndexServer) -> None:
    said = run("repository", "add", "own", f"{server.url}/nothing")
    assert (said.status, said.error) == (
        1,
        f"There is no repodata.json at {server.url}/nothing. [UPD-121]",
    )
