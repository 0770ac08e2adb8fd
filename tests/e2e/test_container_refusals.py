"""Upgrades of containers that cannot go well are refused by their check, with a sentence, and nothing was touched."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pytest_django import Settings

from portal.core.errors import Refused
from tests.containers.deployed import HELPER, OVERLAY, ByCompose, ByHand
from tests.containers.host import Host
from tests.containers.ledger import V1, V2
from tests.containers.orders import ordered, upgraded
from tests.containers.stage import Stage
from tests.environment.manifests import put_for_architecture, put_index
from updates.machine import Outcome
from updates.models import WatchedContainer

NAME = "acme/ledger"
Spoil = Callable[[Host, ByCompose], object]


@pytest.fixture(autouse=True)
def small_device(settings: Settings) -> None:
    settings.HEALTH_PAUSE_SECONDS = 0.4
    settings.CONTAINER_MIN_FREE_BYTES = 20 * 2**20


@pytest.fixture
def host(container_stage: Stage, transactional_db: None) -> Iterator[Host]:
    yield Host(container_stage)
    container_stage.empty_disk()


def pins(_: Host, deployed: ByCompose) -> None:
    overlay = OVERLAY.replace(
        "  web:\n", f"  web:\n    image: {deployed.ledger.reference('1.0.0')}\n"
    )
    deployed.write(overlay=overlay)


def takes_the_overlay_away(_: Host, deployed: ByCompose) -> None:
    (deployed.folder / "prod.yml").unlink()


def breaks_the_overlay(_: Host, deployed: ByCompose) -> None:
    deployed.write(overlay="version: '2.4'\nservices: {web: {port: nonsense}}\n")


def forgets_a_variable(_: Host, deployed: ByCompose) -> None:
    (deployed.folder / ".env").write_text(f"LEDGER_IMAGE={deployed.typed()}\n")


def stands_in_the_way(host: Host, _: ByCompose) -> None:
    host.backups.write_text("no directory")


def fills(host: Host, _: ByCompose) -> None:
    host.stage.fill_disk()


# What is wrong: what was done to the deployment, what is set, what is asked for, what the check says.
REFUSALS: dict[str, tuple[Spoil, dict[str, Any], str, str]] = {
    "a pinned tag": (pins, {}, "2.0.0", "1.0.0"),
    "a Compose file that is missing": (takes_the_overlay_away, {}, "2.0.0", "prod.yml"),
    "a Compose file that is invalid": (breaks_the_overlay, {}, "2.0.0", "port"),
    "a variable that nobody sets": (forgets_a_variable, {}, "2.0.0", "GREETING"),
    "no directory for backups": (stands_in_the_way, {}, "2.0.0", "backups"),
    "no room for a backup": (fills, {}, "2.0.0", "MiB"),
    "a volume that is not there": (lambda *_: None, {"volumes": ["no-books"]}, "2.0.0", "no-books"),
    "a version that is not there": (lambda *_: None, {}, "9.9.9", "no such image"),
    "a container that is not there": (
        lambda *_: None, {"containers": ["no-ledger"]}, "2.0.0", "no container no-ledger",
    ),
    "an index without the platform": (lambda *_: None, {}, "2.6.0", "linux/arm64"),
    "an image for another platform": (lambda *_: None, {}, "2.7.0", "arm64"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSALS)
def test_it_is_refused_and_nothing_was_touched(host: Host, what: str) -> None:
    spoil, settings, version, says = REFUSALS[what]
    ledger = host.stage.ledger
    deployed = ByCompose(host.stage, ledger)
    watched = host.watch(deployed, **settings)
    ledger.release(V2)
    put_index(ledger.registry, NAME, "2.6.0", {"linux/arm64": V2.number, "linux/s390x": V1.number})
    put_for_architecture(ledger.registry, NAME, V2.number, "2.7.0", architecture="arm64")
    before = host.stands(deployed)
    spoil(host, deployed)

    refused = upgraded(watched, version)
    host.stage.empty_disk()
    deployed.write()

    assert refused.outcome == Outcome.FAILED
    assert says in refused.error
    assert "Traceback" not in refused.error
    if what != "no directory for backups":
        assert host.stands(deployed).differs(before) == []


def test_an_engine_without_room_is_not_given_an_image(host: Host, settings: Settings) -> None:
    settings.CONTAINER_MIN_FREE_BYTES = 2**60
    watched = host.watch(ByHand(host.stage, host.stage.ledger))
    host.stage.ledger.release(V2)
    refused = upgraded(watched, "2.0.0", backup=False)
    assert refused.outcome == Outcome.FAILED
    assert "MiB are needed" in refused.error


def test_a_container_that_its_engine_removes_has_no_way_back(host: Host) -> None:
    deployed = ByHand(host.stage, host.stage.ledger)
    watched = host.watch(deployed, containers=["brief"], volumes=[])
    host.engine.docker("run", "--detach", "--rm", "--name", "brief", HELPER)
    try:
        refused = upgraded(watched, "2.0.0")
    finally:
        host.engine.docker("rm", "--force", "brief")
    assert (refused.outcome, "--rm" in refused.error) == (Outcome.FAILED, True)


OTHER_IMAGES = ["elsewhere.example/acme/ledger:2.0.0", "2.0.0:3", "../ledger", "-rm", ""]


@pytest.mark.parametrize("version", OTHER_IMAGES)
def test_what_is_no_version_of_it_is_not_even_ordered(host: Host, version: str) -> None:
    watched: WatchedContainer = host.watch(ByHand(host.stage, host.stage.ledger))
    with pytest.raises(Refused):
        ordered(watched, version)
