"""What registries say of newer versions, and what people are told of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import django_rq
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings
from rq import Queue

from portal.core import clock
from portal.core.actors import PORTAL
from portal.core.errors import NotPermitted, Refused
from portal.core.models import AuditEvent
from tests.environment.docker import DockerEngine
from tests.environment.module_images import push_image
from tests.environment.ports import free_port
from tests.environment.registry import Registry
from tests.environment.workdir import workdir
from tests.services.people import somebody
from tests.watching.rows import watched
from updates import dispatch
from updates.jobs import run_version_check
from updates.models import WatchedContainer
from updates.news import news, outdated
from updates.services import version_checks
from updates.services.version_checks import (
    is_being_asked,
    job_id,
    offer_version,
    recover_version_checks,
    request_version_check,
    skip_version,
    snooze,
)
from updates.services.watching import unwatch

pytestmark = [pytest.mark.database, pytest.mark.usefixtures("redis_server")]

SOURCE = {"org.opencontainers.image.source": "https://github.com/example/shop"}


@pytest.fixture(scope="module")
def registry(docker_engine: DockerEngine) -> Iterator[Registry]:
    """It has the versions 1.0.0, 1.1.0 and 2.0.0-rc.1 of `shop`."""
    running = Registry(workdir() / "versions")
    running.start()
    running.show_to(docker_engine)
    for tag in ("1.0.0", "1.1.0", "2.0.0-rc.1"):
        push_image(docker_engine, f"{running.host}/shop:{tag}", {"a": tag}, labels=SOURCE)
    yield running
    running.remove()


def asked(row: WatchedContainer) -> WatchedContainer:
    run_version_check(str(row.pk))
    row.refresh_from_db()
    return row


def of(registry: Registry, tag: str = "1.0.0", **fields: Any) -> WatchedContainer:  # noqa: ANN401 - of any field
    row = watched("shop", image=f"{registry.host}/shop:{tag}", **fields)
    row.instance.version = tag
    row.instance.save()
    return row


@pytest.mark.docker
def test_the_newest_release_is_found_with_its_digest_and_notes(registry: Registry) -> None:
    row = asked(of(registry))
    assert row.newest == "1.1.0"
    assert row.newest_digest.startswith("sha256:")
    assert row.notes_url == "https://github.com/example/shop/releases?q=1.1.0&expanded=true"
    assert row.answered_at is not None
    assert [(one.name, one.newest) for one in news()] == [("shop", "1.1.0")]
    row.track = row.Track.CANDIDATE
    row.save()
    assert asked(row).newest == "2.0.0-rc.1"


@pytest.mark.docker
def test_what_runs_is_the_newest_where_nothing_newer_is_there(registry: Registry) -> None:
    row = asked(of(registry, "1.1.0"))
    assert (row.newest, row.newest_digest) == ("1.1.0", row.digest)
    assert not news()
    assert not outdated(WatchedContainer.objects.all())


@pytest.mark.docker
def test_a_version_for_another_platform_is_not_offered(registry: Registry) -> None:
    row = of(registry)
    row.instance.device.engine_look.platform = "linux/s390x"
    row.instance.device.engine_look.save()
    assert asked(row).newest == "1.0.0"


@pytest.mark.docker
def test_a_tag_that_floats_is_newer_when_it_means_another_image(
    docker_engine: DockerEngine, registry: Registry
) -> None:
    digest = push_image(docker_engine, f"{registry.host}/floats:edge", {"a": "1"})
    row = watched("shop", image=f"{registry.host}/floats:edge", digest=digest)
    row.instance.version = "edge"
    row.instance.save()
    asked(row)
    assert not news()
    newer = push_image(docker_engine, f"{registry.host}/floats:edge", {"a": "2"})
    assert asked(row).newest_digest == newer != digest
    assert [one.newest for one in news()] == ["edge"]

    skip_version(watched=row, version="edge", actor=PORTAL)
    asked(row)
    assert row.skipped == [f"edge@{newer}"]
    assert not news()
    push_image(docker_engine, f"{registry.host}/floats:edge", {"a": "3"})
    asked(row)
    assert [one.newest for one in news()] == ["edge"]
    skip_version(watched=row, version="edge", actor=PORTAL)
    row.refresh_from_db()
    offer_version(watched=row, version=row.skipped[-1], actor=PORTAL)
    asked(row)
    assert [one.newest for one in news()] == ["edge"]


@pytest.mark.docker
def test_of_a_registry_that_is_down_the_last_good_answer_stays_with_the_error(
    registry: Registry,
) -> None:
    row = asked(of(registry))
    answered = row.answered_at
    row.image = f"127.0.0.1:{free_port()}/shop:1.0.0"
    row.asked_at = clock.now()
    row.save()
    asked(row)
    assert "cannot be reached" in row.error
    assert (row.newest, row.answered_at) == ("1.1.0", answered)
    assert [one.newest for one in news()] == ["1.1.0"]


@pytest.mark.docker
def test_a_version_that_is_skipped_is_not_offered_until_it_is_offered_again(
    registry: Registry,
) -> None:
    row, actor = asked(of(registry)), somebody("olga", "change_watchedcontainer")
    skip_version(watched=row, version="1.1.0", actor=actor, reason="It leaks")
    assert not news()
    row.refresh_from_db()
    assert asked(row).newest == "1.0.0"
    assert AuditEvent.objects.get(action="container.skip").reason == "It leaks"
    with pytest.raises(Refused, match="is not skipped"):
        offer_version(watched=row, version="9", actor=actor)
    offer_version(watched=row, version="1.1.0", actor=actor)
    assert asked(row).newest == "1.1.0"
    with pytest.raises(NotPermitted):
        skip_version(watched=row, version="1.1.0", actor=somebody("bob"))


def newer(name: str = "shop", **fields: Any) -> WatchedContainer:  # noqa: ANN401 - of any field
    """One that is seen to be outdated."""
    return watched(name, newest="1.1.0", newest_digest=f"sha256:{'b' * 64}", **fields)


def test_who_snoozes_is_not_told_for_a_while() -> None:
    row, actor = newer(), somebody("olga", "change_watchedcontainer")
    snooze(watched=row, days=1, actor=actor)
    assert not news()
    assert outdated(WatchedContainer.objects.all()).exists()
    WatchedContainer.objects.update(snoozed_until=clock.now() - timedelta(seconds=1))
    assert len(news()) == 1
    snooze(watched=row, days=7, actor=actor)
    snooze(watched=row, days=0, actor=actor)
    assert len(news()) == 1
    with pytest.raises(Refused):
        snooze(watched=row, days=400, actor=actor)


def test_nobody_is_told_of_what_is_watched_no_longer() -> None:
    unwatch(watched=newer(), actor=PORTAL, reason="Sold")
    assert not news()


def test_the_news_are_one_question_however_many_there_are() -> None:
    for number in range(30):
        newer(f"shop-{number}")
    newer("zzz", is_portal=True)
    with CaptureQueriesContext(
        connection,
    ) as asked_for:
        found = news()
    assert len(asked_for) == 1
    assert found[0].is_portal
    assert len(found) == 20


def test_turned_off_means_no_news_and_no_questions(settings: Settings) -> None:
    row = newer()
    settings.VERSION_CHECK_DISABLED = True
    assert not news()
    recover_version_checks(set())
    row.refresh_from_db()
    assert row.asked_at is None
    with pytest.raises(Refused, match="turned off"):
        request_version_check(watched=row, actor=PORTAL)


def _emptied(queue: Queue) -> None:
    queue.empty()  # type: ignore[no-untyped-call]


@pytest.mark.database(transaction=True)
def test_it_is_asked_every_four_hours_once_and_again_when_the_queue_has_forgotten() -> None:
    row = newer()
    recover_version_checks(set())
    row.refresh_from_db()
    assert is_being_asked(row)
    queue = django_rq.get_queue(dispatch.QUEUE)
    assert queue.get_job_ids() == [job_id(row)]
    recover_version_checks({job_id(row)})
    assert queue.get_job_ids() == [job_id(row)]
    _emptied(queue)
    recover_version_checks(set())
    assert queue.get_job_ids() == [job_id(row)]
    _emptied(queue)
    now = clock.now()
    WatchedContainer.objects.update(asked_at=now - timedelta(hours=3), answered_at=now)
    recover_version_checks(set())
    assert not queue.get_job_ids()
    WatchedContainer.objects.update(asked_at=now - timedelta(hours=4, seconds=1))
    recover_version_checks(set())
    assert len(queue.get_job_ids()) == 1


def test_whoever_was_never_asked_comes_first_however_many_there_are(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    now = clock.now()
    for name, hours in (("one", 1), ("two", 2)):
        watched(name, asked_at=now - timedelta(hours=hours), answered_at=now)
    new = watched("new")
    monkeypatch.setattr(version_checks, "AT_ONCE", 1)
    recover_version_checks(set())
    new.refresh_from_db()
    assert new.asked_at is not None
