"""Pages about repositories."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.test import Client

from portal.core.actors import PORTAL
from tests.environment.index_server import IndexServer, index_server, package
from updates.models import Repository
from updates.services.repositories import add_repository, carry_out_fetch

LIST = "/updates/repository/"


@pytest.fixture
def server() -> Iterator[IndexServer]:
    with index_server() as served:
        served.publish(package("shop", "1.0.0", "1.1.0-rc.1"))
        yield served


@pytest.fixture
def repository(db: None, server: IndexServer) -> Repository:
    return add_repository(name="own", url=server.url, is_testing=False, actor=PORTAL)


def test_one_is_added_and_its_page_shows_what_it_publishes(
    operator: Client, server: IndexServer
) -> None:
    asked = operator.get(f"{LIST}new/")
    assert "fetched right now" in asked.content.decode()
    answer = operator.post(f"{LIST}new/", {"name": "own", "url": server.url}, follow=True)
    shown = answer.content.decode()
    for words in ("own publishes 1 modules", "ghcr.io/example/shop", "1.1.0-rc.1", "(testing)"):
        assert words in shown
    assert "own" in operator.get(LIST).content.decode()


def test_a_refusal_shows_the_form_again(operator: Client, server: IndexServer) -> None:
    answer = operator.post(f"{LIST}new/", {"name": "own", "url": "http://example.org"})
    assert answer.status_code == 422
    assert "it must begin with https://" in answer.content.decode()
    assert not Repository.objects.exists()


def test_while_it_is_down_its_page_says_why_and_how_old_the_index_is(
    operator: Client, repository: Repository, server: IndexServer
) -> None:
    server.answer(b"", status=503)
    carry_out_fetch(repository)
    shown = operator.get(f"{LIST}{repository.pk}/change/").content.decode()
    assert "it answered with status 503" in shown
    assert "What is offered is what it published" in shown
    assert "ghcr.io/example/shop" in shown


def test_one_is_fetched_changed_and_removed(operator: Client, repository: Repository) -> None:
    place = f"{LIST}{repository.pk}/"
    assert operator.get(f"{place}fetch/").status_code == 405
    answer = operator.post(f"{place}fetch/", follow=True)
    assert "is being fetched" in answer.content.decode()
    operator.post(f"{place}edit/", {"is_testing": "on"})
    repository.refresh_from_db()
    assert (repository.is_enabled, repository.is_testing) == (False, True)
    answer = operator.post(f"{place}fetch/", follow=True)
    assert "own is not enabled." in answer.content.decode()
    operator.post(f"{place}delete-page/", {"reason": "Old"})
    assert not Repository.objects.exists()


def test_a_viewer_is_told_why_not(viewer: Client, repository: Repository) -> None:
    shown = viewer.get(f"{LIST}{repository.pk}/change/").content.decode()
    for verb in ("fetch", "change", "delete"):
        assert f"You lack the permission updates.{verb}_repository." in shown
    assert "You lack the permission updates.add_repository." in viewer.get(LIST).content.decode()
    assert viewer.post(f"{LIST}{repository.pk}/fetch/").status_code == 403
    assert viewer.post(f"{LIST}{repository.pk}/delete-page/", {"reason": "x"}).status_code == 403
