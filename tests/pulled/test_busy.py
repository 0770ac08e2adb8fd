"""Devices that pull while the portal sends as many files as it can, or its storage is away: they wait, and lose nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.core.cache import cache
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.test import Client
from structlog.testing import capture_logs

from portal.core import stored
from portal.core.errors import PortalBusy
from portal.core.transfers import Transfer, Transfers, transfers
from tests.environment.waiting import wait_until
from tests.journal.rows import new_artifact
from tests.pulled.pulling import Pulling, ending
from updates.machine import State
from updates.models import Artifact

pytestmark = pytest.mark.database

CONTENT = bytes(range(256)) * 100
Kept = Callable[[str], Artifact]


@pytest.fixture
def kept(use: Callable[[str], None], tmp_path: Path) -> Kept:
    """An artifact whose file has this name, in a folder."""
    use(f"file://{tmp_path / 'kept'}")

    def make(name: str) -> Artifact:
        file = default_storage.save(f"artifacts/{tmp_path.name}-{name}", ContentFile(CONTENT))
        return new_artifact(file=file, size=len(CONTENT))

    return make


@pytest.fixture
def under_way() -> Iterator[list[Transfer]]:
    """As many transfers as there can be."""
    begun = [transfers.begin() for _ in range(settings.TRANSFERS_AT_ONCE)]
    yield begun
    for transfer in begun:
        transfer.end()


def test_nothing_is_offered_while_it_could_not_be_sent(under_way: list[Transfer]) -> None:
    device = Pulling()
    upgrade = device.ordered()
    assert device.ask().status_code == 204
    assert ending(upgrade) == (State.PENDING, None)
    for transfer in under_way:
        transfer.end()
    assert device.offered()["id"] == str(upgrade.pk)


def test_no_more_are_offered_than_can_be_sent_and_a_download_keeps_the_promise(kept: Kept) -> None:
    artifact = kept("one")
    devices = [Pulling() for _ in range(settings.TRANSFERS_PROMISED + 1)]
    for device in devices:
        device.ordered(artifact)
    *first, last = devices
    offers = [device.offered() for device in first]
    assert [device.ask().status_code for device in first] == [200] * len(first), "promised already"
    assert last.ask().status_code == 204
    answer = Client().get(offers[0]["artifact"]["source"]["uri"])
    assert last.ask().status_code == 204, "its place is taken now"
    assert b"".join(answer) == CONTENT  # and so it has ended
    assert last.ask().status_code == 200


def test_what_a_device_has_done_is_settled_all_the_same() -> None:
    device = Pulling()
    upgrade = device.ordered()
    device.offered()
    device.says(upgrade, "installing")
    begun = [transfers.begin() for _ in range(settings.TRANSFERS_AT_ONCE - 1)]
    device.installed = "new"
    assert device.ask().status_code == 204
    for transfer in begun:
        transfer.end()
    assert ending(upgrade) == (State.FINISHED, "succeeded")


def test_a_download_waits_for_its_place(kept: Kept) -> None:
    device = Pulling()
    device.ordered(kept("one"))
    uri = device.offered()["artifact"]["source"]["uri"]
    transfers._promises.clear()  # by another process
    others = [transfers.begin() for _ in range(settings.TRANSFERS_AT_ONCE)]
    leaves = threading.Timer(0.5, others[0].end)
    leaves.start()
    answer = Client().get(uri)
    assert answer.status_code == 200
    assert b"".join(answer) == CONTENT
    leaves.join()
    for transfer in others:
        transfer.end()


def test_one_that_waits_too_long_hears_when_to_come_again(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = Pulling()
    device.ordered(kept("one"))
    uri = device.offered()["artifact"]["source"]["uri"]
    monkeypatch.setattr(transfers, "_most_waiting", 0)
    transfers._promises.clear()  # by another process
    others = [transfers.begin() for _ in range(settings.TRANSFERS_AT_ONCE)]
    answer = Client().get(uri)
    for transfer in others:
        transfer.end()
    assert (answer.status_code, answer["Retry-After"]) == (503, "30")


def test_only_so_many_wait_and_the_others_are_refused_at_once() -> None:
    places = Transfers(1, promised=1, waiting=1)
    first = places.begin()
    second: list[Transfer] = []
    waits = threading.Thread(
        target=lambda: second.append(places.begin_promised(wait_seconds=30)), daemon=True
    )
    waits.start()
    wait_until(lambda: places._waiting == 1, seconds=10, what="one that waits")
    began = time.monotonic()
    with pytest.raises(PortalBusy):
        places.begin_promised(wait_seconds=30)
    assert time.monotonic() - began < 5
    first.end()
    first.end()
    waits.join(10)
    assert len(second) == 1
    with pytest.raises(PortalBusy):
        places.begin()


def test_one_that_nobody_holds_any_more_keeps_no_place() -> None:
    places = Transfers(1, promised=1, waiting=0)
    held = places.begin()
    with pytest.raises(PortalBusy):
        places.begin()
    del held  # as with an answer that is lost before the server has it
    places.begin()


def test_a_promise_lapses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portal.core.transfers.PROMISE_SECONDS", 0.2)
    places = Transfers(1, promised=1, waiting=0)
    places.promise(1)
    with pytest.raises(PortalBusy):
        places.promise(2)
    time.sleep(0.3)
    places.promise(2)


def test_a_promised_place_is_kept_from_everybody_else() -> None:
    places = Transfers(4, promised=3, waiting=1)
    places.promise(1)
    begun = [places.begin() for _ in range(3)]
    with pytest.raises(PortalBusy):
        places.begin()
    with pytest.raises(PortalBusy):
        places.begin_promised(2, wait_seconds=0.1)  # who goes on where it broke off
    begun.append(places.begin_promised(1, wait_seconds=0.1))
    with pytest.raises(PortalBusy):
        places.begin()
    begun.pop().end()
    places.begin()


def test_who_comes_to_another_process_takes_a_promise_of_that_one() -> None:
    one, two = (Transfers(1, promised=1, waiting=0) for _ in range(2))
    one.promise("a")
    two.promise("b")
    with pytest.raises(PortalBusy):
        two.begin_promised("a")  # whose promise is of no use any more
    begun = [two.begin_promised("a", by=one.name), one.begin_promised("b", by=two.name)]
    for places, transfer in zip((two, one), begun, strict=True):
        with pytest.raises(PortalBusy):
            places.promise("c")
        transfer.end()
        places.promise("c")


def test_who_waits_gets_the_place_of_a_promise_that_lapses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portal.core.transfers.PROMISE_SECONDS", 0.3)
    places = Transfers(1, promised=1, waiting=1)
    places.promise(1)
    places.begin_promised(2, wait_seconds=30)


def test_asking_again_keeps_no_place_for_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portal.core.transfers.PROMISE_SECONDS", 0.3)
    places = Transfers(1, promised=1, waiting=0)
    until = time.monotonic() + 0.5
    while time.monotonic() < until:
        places.promise(1)
    places.promise(1)  # there is a place, and it is not kept
    places.promise(2)


def test_who_comes_is_promised_a_place_again_and_those_that_never_come_are_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("portal.core.transfers.PROMISE_SECONDS", 0)
    monkeypatch.setattr("portal.core.transfers.MOST_LAPSED", 2)
    places = Transfers(1, promised=1, waiting=0)
    for whose in (1, 2, 3, 4):
        places.promise(whose)
    places.begin_promised(4).end()
    monkeypatch.setattr("portal.core.transfers.PROMISE_SECONDS", 15)
    places.promise(3)
    assert (places._promises, list(places._lapsed)) == ({}, [3])
    monkeypatch.setattr("portal.core.transfers.LAPSED_SECONDS", 0)
    for whose in (3, 4):
        monkeypatch.setattr(places, "_promises", {})
        places.promise(whose)
        assert list(places._promises) == [whose]


def test_devices_that_never_download_keep_no_places_from_others(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("portal.core.transfers.PROMISE_SECONDS", 0)
    artifact = kept("one")
    devices = [Pulling() for _ in range(settings.TRANSFERS_PROMISED + 1)]
    for device in devices:
        device.ordered(artifact)
    *closed, other = devices
    for device in closed:
        device.offered()
    monkeypatch.setattr("portal.core.transfers.PROMISE_SECONDS", 15)
    uris = [device.offered()["artifact"]["source"]["uri"] for device in closed]
    other.offered()
    assert b"".join(Client().get(uris[0])) == CONTENT


def test_that_nothing_is_offered_for_want_of_a_place_is_in_the_log_once(
    under_way: list[Transfer],
) -> None:
    cache.clear()
    device = Pulling()
    device.ordered()
    with capture_logs() as lines:
        for _ in range(3):
            device.ask()
    (line,) = [line for line in lines if line["event"] == "devices_not_served"]
    assert "Too many files" in line["why"]


def test_a_storage_that_is_back_soon_is_waited_for_and_else_nothing_is_offered(
    kept: Kept, monkeypatch: pytest.MonkeyPatch, use: Callable[[str], None], tmp_path: Path
) -> None:
    monkeypatch.setattr("portal.core.downloads.WAIT_SECONDS", 2)
    artifact, other = kept("one"), kept("two")
    one, two, three = Pulling(), Pulling(), Pulling()
    for device in (one, two):
        device.ordered(artifact)
    three.ordered(other)
    uri = one.offered()["artifact"]["source"]["uri"]
    folder = tmp_path / "kept" / "artifacts"
    away = folder.with_name("away")
    folder.rename(away)
    folder.write_text(
        "no folder"
    )  # as a network file system that is not there: an OSError of its own

    def comes_back() -> None:
        folder.unlink()
        away.rename(folder)

    back = threading.Timer(0.5, comes_back)
    back.start()
    assert b"".join(Client().get(uri)) == CONTENT
    back.join()

    folder.rename(away)
    folder.write_text("no folder")
    answer = Client().get(uri)
    assert (answer.status_code, answer["Retry-After"]) == (503, "30")
    comes_back()
    assert two.ask().status_code == 204
    assert three.ask().status_code == 200
    monkeypatch.setattr(stored, "AWAY_SECONDS", 0.0)
    assert two.ask().status_code == 200
