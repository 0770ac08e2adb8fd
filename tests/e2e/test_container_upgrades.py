"""Containers on a device with an engine of its own: upgraded, rolled back, taken back; each time exactly the old or the new."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from pytest_django import Settings

from devices.errors import HealthFailed
from devices.models import EngineAccess
from portal.core.actors import PORTAL
from tests.containers.deployed import ByCompose, ByHand, InFolder, Quiet, Way
from tests.containers.host import Host
from tests.containers.ledger import (
    ENDS,
    ENDS_WELL,
    LOOPS,
    NEVER_STARTS,
    SLOW,
    SPOILS,
    UNWELL,
    V1,
    V1_1,
    V2,
    Version,
)
from tests.containers.orders import taken_back, upgraded
from tests.containers.stage import Stage
from tests.containers.standing import Standing, files_below
from tests.environment.manifests import put_index
from updates.machine import Outcome
from updates.models import WatchedContainer
from updates.services.container_checks import carry_out_preflight, request_preflight

BOTH = pytest.mark.parametrize("way", [ByCompose, ByHand])


@pytest.fixture(autouse=True)
def soon_well(settings: Settings) -> None:
    """Health is asked for at short intervals; the device is a small one."""
    settings.HEALTH_PASSES = 3
    settings.HEALTH_PAUSE_SECONDS = 0.4
    settings.CONTAINER_MIN_FREE_BYTES = 20 * 2**20


@pytest.fixture
def host(container_stage: Stage, transactional_db: None) -> Iterator[Host]:
    host = Host(container_stage)
    yield host
    container_stage.empty_disk()


def by_hand(host: Host, way: Way, version: Version) -> Standing:
    """What stands when an operator replaces the first version by that one without us; it is the first one again afterwards."""
    deployed = way(host.stage, host.stage.ledger)
    host.deploy(deployed)
    deployed.up(version)
    host.await_answer(deployed)
    return host.stands(deployed)


@BOTH
def test_an_upgrade_and_the_way_back_by_hand(host: Host, way: Way) -> None:
    new = by_hand(host, way, V2)
    deployed = way(host.stage, host.stage.ledger)
    watched = host.watch(deployed)
    old, version = host.stands(deployed), watched.instance.version
    assert old.answers["device"].startswith("ledger 1.0.0")

    done = upgraded(watched, "2.0.0")
    assert done.outcome == Outcome.SUCCEEDED, done.error
    assert host.stands(deployed).differs(replace(new, others=old.others)) == []
    assert len(host.backup_files()) == 1
    watched.refresh_from_db()
    assert watched.digest == deployed.ledger.digest(V2)
    assert watched.instance.version == "2.0.0"

    back = taken_back(done)
    assert back.outcome == Outcome.SUCCEEDED, back.error
    assert host.stands(deployed).differs(old) == []
    assert len(host.backup_files()) == 1
    watched.refresh_from_db()
    assert (watched.digest, watched.instance.version) == (deployed.ledger.digest(V1), version)


def test_latest_is_what_the_registry_has_by_then(host: Host) -> None:
    deployed = ByHand(host.stage, host.stage.ledger, tag="latest")
    deployed.ledger.release(V1, "latest")
    watched = host.watch(deployed)
    same = upgraded(watched, "latest")
    assert (same.outcome, same.unchanged) == (Outcome.SUCCEEDED, True)

    deployed.ledger.release(V2, "latest")
    done = upgraded(watched, "latest")

    assert done.outcome == Outcome.SUCCEEDED, done.error
    assert host.stands(deployed).answers["device"].startswith("ledger 2.0.0")
    watched.refresh_from_db()
    assert watched.digest == deployed.ledger.digest(V2)


@BOTH
def test_what_runs_already_is_left_alone_unless_it_is_forced(host: Host, way: Way) -> None:
    deployed = way(host.stage, host.stage.ledger)
    watched = host.watch(deployed)
    old, first = host.stands(deployed), host.inspected(deployed.name)

    same = upgraded(watched, "1.0.0")
    assert (same.outcome, same.unchanged) == (Outcome.SUCCEEDED, True)
    here = host.inspected(deployed.name)
    assert (here["Id"], here["State"]["Pid"]) == (first["Id"], first["State"]["Pid"])
    assert host.backup_files() == []

    again = upgraded(watched, "1.0.0", force=True)
    assert (again.outcome, again.unchanged) == (Outcome.SUCCEEDED, False), again.error
    assert host.inspected(deployed.name)["Id"] != first["Id"]
    assert host.stands(deployed).differs(old) == []


def test_an_older_version_that_is_named_is_the_one_that_runs(host: Host) -> None:
    deployed = ByHand(host.stage, host.stage.ledger)
    watched = host.watch(deployed)
    deployed.ledger.release(V1_1)
    old = host.stands(deployed)
    assert upgraded(watched, "1.1.0").outcome == Outcome.SUCCEEDED
    assert host.stands(deployed).answers["device"].startswith("ledger 1.1.0")

    done = upgraded(watched, "1.0.0")

    assert done.outcome == Outcome.SUCCEEDED, done.error
    assert host.stands(deployed).differs(old) == []


# What the history has of it: what it said last, or what the engine says of it.
FLAWS = [
    (ByCompose, UNWELL, "no licence"),
    (ByHand, UNWELL, "no licence"),
    (ByCompose, SPOILS, ""),
    (ByHand, SPOILS, ""),
    (InFolder, SPOILS, ""),
    (ByHand, ENDS, "no licence"),
    (ByCompose, ENDS_WELL, ""),
    (ByHand, LOOPS, ""),
    (ByHand, NEVER_STARTS, "/serve"),
    (ByCompose, NEVER_STARTS, "/serve"),
]


@pytest.mark.parametrize(("way", "version", "says"), FLAWS)
def test_one_that_is_no_good_is_rolled_back_with_the_data_of_before(
    host: Host, way: Way, version: Version, says: str
) -> None:
    deployed = way(host.stage, host.stage.ledger)
    watched = host.watch(deployed, health_seconds=10)
    old = host.stands(deployed)
    deployed.ledger.release(version)

    failed = upgraded(watched, version.number)

    assert failed.outcome == Outcome.ROLLED_BACK, failed.error
    assert failed.error
    assert says in failed.error or failed.events.filter(text__contains=says).exists()
    assert host.stands(deployed).differs(old) == []
    watched.refresh_from_db()
    assert (watched.image, watched.digest) == (deployed.typed(), deployed.ledger.digest(V1))


def test_a_slow_start_is_no_failure(host: Host) -> None:
    deployed = ByHand(host.stage, host.stage.ledger)
    watched = host.watch(deployed, health_seconds=40)
    deployed.ledger.release(SLOW)
    done = upgraded(watched, "2.1.0")
    assert done.outcome == Outcome.SUCCEEDED, done.error
    assert host.stands(deployed).answers["device"].startswith("ledger 2.1.0")


@BOTH
def test_one_that_stood_still_stays_so(host: Host, way: Way) -> None:
    deployed = way(host.stage, host.stage.ledger)
    watched = host.watch(deployed)
    deployed.ledger.release(V2)
    books = files_below(host.books(deployed))
    host.engine.docker("stop", deployed.name)

    done = upgraded(watched, "2.0.0")

    assert done.outcome == Outcome.SUCCEEDED, done.error
    state = host.inspected(deployed.name)["State"]
    assert (state["Status"], state["StartedAt"][:4]) == ("created", "0001")
    assert host.inspected(deployed.name)["HostConfig"]["RestartPolicy"]["Name"] == "always"
    assert files_below(host.books(deployed)) == books

    back = taken_back(done)
    assert back.outcome == Outcome.SUCCEEDED, back.error
    assert not host.inspected(deployed.name)["State"]["Running"]
    assert files_below(host.books(deployed)) == books


def test_without_a_backup_the_image_goes_back_and_the_data_stays(host: Host) -> None:
    deployed = ByHand(host.stage, host.stage.ledger)
    watched = host.watch(deployed, health_seconds=10)
    deployed.ledger.release(SPOILS)
    old = host.stands(deployed)

    failed = upgraded(watched, SPOILS.number, backup=False)

    assert failed.outcome == Outcome.ROLLED_BACK, failed.error
    assert host.backup_files() == []
    assert failed.events.filter(text__contains="No backup is made").exists()
    assert failed.events.filter(text__contains="There is no backup: data stays").exists()
    differs = host.stands(deployed).differs(old)
    assert {line.partition(":")[0] for line in differs} == {"data book", "data gold"}


def test_one_that_keeps_no_words_fails_for_what_is_wrong_with_it(host: Host) -> None:
    deployed = Quiet(host.stage, host.stage.ledger)
    watched = host.watch(deployed, health_seconds=10)
    deployed.ledger.release(UNWELL)

    failed = upgraded(watched, UNWELL.number)

    assert failed.outcome == Outcome.ROLLED_BACK
    assert failed.error_code == HealthFailed.code, failed.error
    assert failed.events.filter(text__contains="said last cannot be read").exists()


@pytest.mark.parametrize(("way", "used"), [(ByCompose, False), (ByHand, False), (ByHand, True)])
def test_an_image_goes_with_the_way_back_that_wanted_it_unless_somebody_uses_it(
    host: Host, way: Way, settings: Settings, *, used: bool
) -> None:
    settings.KEPT_WAYS_BACK = 1
    deployed = way(host.stage, host.stage.ledger)
    watched = host.watch(deployed)
    first = watched.image_id
    deployed.ledger.release(V1_1)
    deployed.ledger.release(V2)
    # Whoever deploys a tag that floats has the image by that name alone.
    tags = host.engine.docker("image", "inspect", "--format", '{{join .RepoTags " "}}', first)
    for name in {*tags.split()} - {deployed.typed()}:
        host.engine.docker("rmi", name)
    users = host.engine.docker(
        "ps", "-a", "--filter", f"ancestor={first}", "--format", "{{.Names}}"
    )
    for name in {*users.split()} - {deployed.name}:  # deployments of other tests
        host.engine.docker("rm", "--force", name)
        host.stage.stood.pop(name, None)
    if used:
        host.engine.docker("create", "--name", "of-the-first", first, "true")
    try:
        done = upgraded(watched, "1.1.0")
        assert (done.outcome, done.facts["kept"]) == (Outcome.SUCCEEDED, True)
        watched.refresh_from_db()
        second = watched.image_id
        assert there(host, first)
        assert upgraded(watched, "2.0.0").outcome == Outcome.SUCCEEDED
        assert (there(host, first), there(host, second)) == (used, True)
        done.refresh_from_db()
        assert not done.facts["kept"]
    finally:
        host.engine.attempt("rm", "of-the-first")


def there(host: Host, image: str) -> bool:
    return host.engine.attempt("image", "inspect", image).returncode == 0


def test_what_no_backup_holds_is_told_before_and_in_the_history(host: Host) -> None:
    deployed = InFolder(host.stage, host.stage.ledger)
    watched = host.watch(deployed, health_seconds=10, volumes=[])
    deployed.ledger.release(V2)

    check = carry_out_preflight(request_preflight(watched=watched, version=V2.number, actor=PORTAL))
    said = [one for one in check.findings if one.get("warns")]
    assert check.verdict == check.Verdict.COMPATIBLE
    assert [one["says"] for one in said if deployed.volume in one["says"]]
    assert [one["says"] for one in said if "unnamed volume" in one["says"]]

    done = upgraded(watched, V2.number)
    assert done.outcome == Outcome.SUCCEEDED, done.error
    assert done.events.filter(
        text__contains=f"NOT backed up, and not put back by a rollback: {deployed.volume}"
    ).exists()


def test_of_an_index_that_image_runs_which_is_for_the_engine(host: Host) -> None:
    ledger = host.stage.ledger
    deployed = ByHand(host.stage, ledger)
    watched = host.watch(deployed)
    ledger.release(V2)
    images = {"linux/arm64": V1.number, "linux/amd64": V2.number}
    digest = put_index(ledger.registry, "acme/ledger", "2.5.0", images)

    done = upgraded(watched, "2.5.0")

    assert done.outcome == Outcome.SUCCEEDED, done.error
    assert host.stands(deployed).answers["device"].startswith("ledger 2.0.0")
    watched.refresh_from_db()
    assert watched.digest == digest
    same = upgraded(watched, "2.5.0")
    assert (same.outcome, same.unchanged) == (Outcome.SUCCEEDED, True)


def test_a_digest_can_be_asked_for(host: Host) -> None:
    ledger = host.stage.ledger
    deployed = ByHand(host.stage, ledger)
    watched = host.watch(deployed)
    ledger.release(V2)

    done = upgraded(watched, f"{ledger.repository}@{ledger.digest(V2)}")

    assert done.outcome == Outcome.SUCCEEDED, done.error
    assert host.stands(deployed).answers["device"].startswith("ledger 2.0.0")
    assert host.inspected(deployed.name)["Config"]["Image"].endswith(ledger.digest(V2))


def test_over_tls_it_is_the_same(container_stage: Stage, transactional_db: None) -> None:
    host = Host(container_stage, EngineAccess.Way.TCP)
    deployed = ByHand(host.stage, host.stage.ledger)
    watched = host.watch(deployed, health_seconds=10)
    old = host.stands(deployed)
    deployed.ledger.release(UNWELL)
    failed = upgraded(watched, UNWELL.number)
    assert failed.outcome == Outcome.ROLLED_BACK, failed.error
    assert host.stands(deployed).differs(old) == []


def test_a_registry_that_is_down_is_not_needed_for_what_is_there(host: Host) -> None:
    deployed = ByHand(host.stage, host.stage.ledger)
    watched: WatchedContainer = host.watch(deployed)
    reference = deployed.ledger.release(V2)
    host.engine.attempt("rmi", reference)
    old = host.stands(deployed)
    host.stage.registry.stop()
    try:
        away = upgraded(watched, "2.0.0")
        assert away.outcome == Outcome.FAILED
        assert away.error == f"The registry {host.stage.registry.host} cannot be reached."
        assert host.stands(deployed).differs(old) == []
    finally:
        host.stage.registry.start()
    host.engine.docker("pull", reference)
    host.stage.registry.stop()
    try:
        done = upgraded(watched, "2.0.0")
    finally:
        host.stage.registry.start()
    assert done.outcome == Outcome.SUCCEEDED, done.error
    assert host.stands(deployed).answers["device"].startswith("ledger 2.0.0")
