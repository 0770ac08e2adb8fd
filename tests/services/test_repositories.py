"""Repositories: added with their index, fetched again, and still good for something when they are down."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import django_rq
import pytest
from django.conf import settings

from portal.core import clock
from portal.core.actors import PORTAL
from portal.core.errors import NotPermitted, Refused
from portal.core.models import AuditEvent
from tests.environment.index_server import IndexServer, index_server, package
from tests.environment.ports import free_port
from tests.environment.redis import RedisServer
from tests.services.people import somebody
from updates import dispatch
from updates.errors import RepositoryRefused
from updates.formats.repodata import LARGEST_BYTES
from updates.jobs import run_fetch
from updates.models import Repository
from updates.services import index_download
from updates.services.recover import recover
from updates.services.repositories import (
    add_repository,
    catalogue,
    change_repository,
    job_id,
    recover_fetches,
    remove_repository,
    request_fetch,
)

pytestmark = pytest.mark.database


@pytest.fixture
def server() -> Iterator[IndexServer]:
    with index_server() as served:
        served.publish(package("shop", "1.0.0", "1.1.0"))
        yield served


def added(server: IndexServer, name: str = "own") -> Repository:
    return add_repository(name=name, url=server.url, is_testing=False, actor=PORTAL)


def rule_of(url: str, *, name: str = "new") -> str:
    with pytest.raises(RepositoryRefused) as caught:
        add_repository(name=name, url=url, is_testing=False, actor=PORTAL)
    assert str(caught.value).endswith(".")
    return caught.value.rule


def fetched(repository: Repository) -> Repository:
    run_fetch(str(repository.pk))
    repository.refresh_from_db()
    return repository


def test_a_repository_is_added_with_its_index(server: IndexServer) -> None:
    repository = added(server)
    assert (repository.packages, repository.error, repository.is_being_fetched) == (1, "", False)
    assert [version.tag for version in catalogue()["ghcr.io/example/shop"].package.versions] == [
        "1.0.0",
        "1.1.0",
    ]
    event = AuditEvent.objects.get(action="repository.add")
    assert event.data == {"url": server.url, "testing": False, "packages": 1}
    path, headers = server.asked[0]
    assert path == "/repodata.json?view=latest"
    assert "Authorization" not in headers


def test_a_name_and_an_address_are_known_once(server: IndexServer) -> None:
    added(server)
    assert rule_of(f"{server.url}/other", name="own") == "repository_same_name_already_exists"
    assert rule_of(f"{server.url}/") == "repository_same_url_already_exists"


def test_what_has_no_good_index_is_not_added(server: IndexServer) -> None:
    server.answer(b"<html>", path="/text")
    server.answer(b"{}", path="/object")
    server.answer(b"", status=500, path="/broken")
    server.answer(b"[]" + b" " * LARGEST_BYTES, path="/large")
    server.answer(b"[]", path="/cut", Content_Length="9")
    server.answer(b"", status=302, path="/away", Location="http://127.0.0.2/repodata.json")
    server.answer(b"", status=302, path="/round", Location="/round/repodata.json?view=latest")
    assert {path: rule_of(server.url + path) for path in (
        "/nothing", "/text", "/object", "/broken", "/large", "/cut", "/away", "/round"
    )} == {
        "/nothing": "repodata_not_found",
        "/text": "repodata_is_not_json",
        "/object": "repodata_is_not_valid_metadata",
        "/broken": "repository_not_accessible",
        "/large": "repository_not_accessible",
        "/cut": "repository_not_accessible",
        "/away": "repository_not_accessible",
        "/round": "repository_not_accessible",
    }  # fmt: skip
    assert rule_of(f"http://127.0.0.1:{free_port()}") == "repository_not_accessible"
    assert not Repository.objects.exists()


def test_a_redirect_on_the_same_host_is_followed(server: IndexServer) -> None:
    server.answer(b"", status=301, path="/old", Location="/repodata.json?view=latest")
    repository = add_repository(name="old", url=f"{server.url}/old", is_testing=False, actor=PORTAL)
    assert repository.packages == 1


def test_a_server_that_says_nothing_or_little_is_left(
    server: IndexServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_download, "SILENCE_SECONDS", 0.3)
    monkeypatch.setattr(index_download, "ALL_SECONDS", 0.5)
    server.answer(b"", path="/drip", Content_Length="100000", Drip="x")
    server.answer(b"[", path="/silent", Content_Length="100000", Hang="yes")
    assert rule_of(f"{server.url}/drip") == "repository_not_accessible"
    assert rule_of(f"{server.url}/silent") == "repository_not_accessible"


@pytest.mark.parametrize(
    "url",
    [
        "", "example.org", "ftp://example.org", "http://example.org", "http://127.0.0.1.example.org",
        "https://user:secret@example.org", "https://example.org/?a=b", "https://example.org/#a",
        "https://example.org:99999", "https://exa mple.org", "https://[::1", "file:///etc", "https://ü.org",
    ],
)  # fmt: skip
def test_an_address_that_is_none_is_refused_before_anything_is_asked(url: str) -> None:
    assert rule_of(url) == "repository_url"


def test_a_name_that_is_none_is_refused(server: IndexServer) -> None:
    assert rule_of(server.url, name="a/b") == "repository_name"
    assert server.asked == []


def test_a_fetch_brings_the_index_of_now(server: IndexServer) -> None:
    repository = added(server)
    server.publish(package("shop", "1.2.0"), package("mail", "1.0.0"))
    assert request_fetch(repository=repository, actor=PORTAL).is_being_fetched
    repository = fetched(repository)
    assert (repository.packages, repository.is_being_fetched) == (2, False)
    assert set(catalogue()) == {"ghcr.io/example/shop", "ghcr.io/example/mail"}


def test_the_last_good_index_stays_when_the_next_cannot_be_had(server: IndexServer) -> None:
    repository = added(server)
    good_since = repository.fetched_at
    server.answer(b"", status=503)
    repository = fetched(repository)
    assert "status 503" in repository.error
    assert (repository.packages, repository.fetched_at) == (1, good_since)
    assert set(catalogue()) == {"ghcr.io/example/shop"}
    server.publish()
    repository = fetched(repository)
    assert (repository.error, repository.error_at, repository.packages) == ("", None, 0)


def test_what_is_not_enabled_offers_nothing_and_is_not_fetched(server: IndexServer) -> None:
    repository = added(server)
    change_repository(repository=repository, is_enabled=False, is_testing=False, actor=PORTAL)
    assert catalogue() == {}
    with pytest.raises(Refused):
        request_fetch(repository=repository, actor=PORTAL)
    _aged(repository)
    recover_fetches(set())
    repository.refresh_from_db()
    assert repository.asked_at is None


def _aged(repository: Repository, **at: object) -> None:
    long_ago = clock.now() - timedelta(seconds=settings.REPOSITORY_FETCH_SECONDS + 1)
    Repository.objects.filter(pk=repository.pk).update(added_at=long_ago, **at)
    repository.refresh_from_db()


def test_an_index_is_fetched_anew_when_it_is_old(server: IndexServer) -> None:
    repository = added(server)
    recover()
    repository.refresh_from_db()
    assert repository.asked_at is None
    _aged(repository, fetched_at=clock.now() - timedelta(hours=2))
    recover()
    repository.refresh_from_db()
    assert repository.is_being_fetched


@pytest.mark.database(transaction=True)
def test_what_was_asked_for_is_put_back_on_an_emptied_queue_once(
    server: IndexServer, redis_server: RedisServer
) -> None:
    repository = request_fetch(repository=added(server), actor=PORTAL)
    redis_server.empty()
    for _ in range(2):
        recover()
        (job,) = django_rq.get_queue(dispatch.QUEUE).jobs
        assert (job.id, job.func, job.args) == (
            job_id(repository),
            run_fetch,
            (str(repository.pk),),
        )


def test_each_verb_asks_for_its_permission(server: IndexServer) -> None:
    repository = added(server)
    nobody = somebody("nina", "view_repository")
    with pytest.raises(NotPermitted):
        add_repository(name="x", url=server.url, is_testing=False, actor=nobody)
    with pytest.raises(NotPermitted):
        change_repository(repository=repository, is_enabled=True, is_testing=True, actor=nobody)
    with pytest.raises(NotPermitted):
        request_fetch(repository=repository, actor=nobody)
    with pytest.raises(NotPermitted):
        remove_repository(repository=repository, actor=nobody, reason="x")


def test_a_removed_repository_is_gone_and_why_is_on_record(server: IndexServer) -> None:
    repository = added(server)
    remove_repository(repository=repository, actor=PORTAL, reason="Not kept up")
    assert not Repository.objects.exists()
    assert AuditEvent.objects.get(action="repository.remove").reason == "Not kept up"
    assert run_fetch("1") == "gone"
