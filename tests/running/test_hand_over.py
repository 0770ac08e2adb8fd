"""A portal that is stopped in the middle of an upgrade: the device goes on, and the next start takes it up again."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from pytest_django import Settings

from devices.models import Device
from portal.core.actors import PORTAL
from tests.e2e.record import calls, overlaps, read_record
from tests.environment.programs import program
from tests.environment.waiting import wait_until
from tests.running.conftest import StartUp
from tests.running.portal_up import PortalUp
from updates.machine import Outcome, State
from updates.models import Upgrade
from updates.services.artifacts import upload_artifact, upload_update_module
from updates.services.upgrades import apply_artifact

pytestmark = pytest.mark.e2e

PATIENCE_SECONDS = 60
GOOD_CALLS = ["Download", "ArtifactInstall", "ArtifactCommit", "Cleanup"]

WAITING_MODULE = """#!/bin/sh
# Keeps a record of every call, and installs until the file `go` is there.
set -e
state="$1"; record="$FLEETWRIGHT_ROOT/record"
case "$state" in
    Download|ArtifactInstall|ArtifactCommit|ArtifactRollback|ArtifactFailure|Cleanup) ;;
    *) exit 0 ;;
esac
echo "start $state $$" >> "$record"
if [ "$state" = ArtifactInstall ]; then
    until [ -e "$FLEETWRIGHT_ROOT/go" ]; do sleep 0.1; done
fi
echo "end $state $$" >> "$record"
"""

Order = Callable[[], Upgrade]


@pytest.fixture
def start_with_database(start_up: StartUp, database_url: str) -> StartUp:
    """Starts the portal over the test's database. It hears of orders from `recover` alone: its Redis is its own."""

    def start(**more: int) -> PortalUp:
        group = start_up(DATABASE_URL=database_url, RECOVER_SECONDS="1", **more)
        group.wait_until_ready()
        return group

    return start


@pytest.fixture
def order(tmp_path: Path, settings: Settings) -> Iterator[Order]:
    """Orders an upgrade of `localhost` whose installation waits for the file `go`; lets it go at the end in any case."""
    location = str(tmp_path / "var" / "storage")
    default = {**settings.STORAGES["default"], "OPTIONS": {"location": location, "base_url": None}}
    settings.STORAGES = {**settings.STORAGES, "default": default}

    def give() -> Upgrade:
        upload_update_module(
            name="waiting", file=ContentFile(WAITING_MODULE.encode()), actor=PORTAL
        )
        content = _artifact(tmp_path).read_bytes()
        artifact = upload_artifact(file=ContentFile(content, name="a.mender"), actor=PORTAL)
        device = Device.objects.get(name="localhost")
        return apply_artifact(device=device, artifact=artifact, actor=PORTAL, reason="a test")

    yield give
    _let_go(tmp_path)


def _artifact(folder: Path) -> Path:
    payload, target = folder / "payload", folder / "artifact.mender"
    payload.write_text("new")
    words = ["-t", "localhost", "-T", "waiting", "-n", "waits-1", "-f", str(payload)]
    subprocess.run(
        [
            program("mender-artifact", package="mender-artifact"),
            *("write", "module-image", "-o", str(target)),
            *words,
        ],
        check=True,
        capture_output=True,
    )
    return target


def _let_go(folder: Path) -> None:
    (folder / "var" / "localhost" / "go").touch()


def _wait_for_step(folder: Path, mark: str) -> None:
    record = folder / "var" / "localhost" / "record"
    wait_until(
        lambda: record.exists() and f"{mark} ArtifactInstall" in record.read_text(),
        seconds=PATIENCE_SECONDS,
        what=f"the {mark} of ArtifactInstall in the record",
    )


def _finished(upgrade: Upgrade) -> Upgrade:
    wait_until(
        lambda: Upgrade.objects.filter(pk=upgrade.pk, state=State.FINISHED).exists(),
        seconds=PATIENCE_SECONDS,
        what="the end of the upgrade",
    )
    upgrade.refresh_from_db()
    return upgrade


@pytest.mark.parametrize("ends_meanwhile", [True, False], ids=["ends-meanwhile", "still-runs"])
def test_a_long_step_outlives_the_portal_and_runs_once(
    start_with_database: StartUp, order: Order, tmp_path: Path, *, ends_meanwhile: bool
) -> None:
    portal = start_with_database()
    upgrade = order()
    _wait_for_step(tmp_path, "start")
    assert portal.stop() == 0

    upgrade.refresh_from_db()
    assert upgrade.state == State.INSTALLING
    assert upgrade.lease_until is None, "it was handed over, not left to lapse"
    assert len(read_record(tmp_path / "var" / "localhost")) == 3, "the step still runs"
    if ends_meanwhile:
        _let_go(tmp_path)
        _wait_for_step(tmp_path, "end")

    start_with_database()
    _let_go(tmp_path)
    assert _finished(upgrade).outcome == Outcome.SUCCEEDED, upgrade.error
    record = read_record(tmp_path / "var" / "localhost")
    assert calls(record) == GOOD_CALLS
    assert overlaps(record) == []
    assert upgrade.fence == 2
    assert upgrade.repeats == 0, "an orderly stop costs the upgrade none of its repeats"


def test_the_work_of_a_killed_worker_is_handed_over_too(
    start_with_database: StartUp, order: Order, tmp_path: Path
) -> None:
    portal = start_with_database()
    upgrade = order()
    _wait_for_step(tmp_path, "start")
    os.kill(portal.program("rqworker"), signal.SIGKILL)

    wait_until(
        lambda: Upgrade.objects.get(pk=upgrade.pk).fence == 2,
        seconds=PATIENCE_SECONDS,
        what="another holder, long before the lease would lapse",
    )
    _let_go(tmp_path)
    assert _finished(upgrade).outcome == Outcome.SUCCEEDED, upgrade.error
    assert calls(read_record(tmp_path / "var" / "localhost")) == GOOD_CALLS


def test_ctrl_c_asks_while_an_upgrade_runs_and_a_second_one_is_a_yes(
    start_with_database: StartUp, order: Order, tmp_path: Path
) -> None:
    ours, theirs = pty.openpty()
    try:
        portal = start_with_database(terminal=theirs)
        order()
        _wait_for_step(tmp_path, "start")

        portal.signal(signal.SIGINT)
        _wait_for_question(portal, times=1)
        os.write(ours, b"n\n")
        portal.wait_until_ready()

        portal.signal(signal.SIGINT)
        _wait_for_question(portal, times=2)
        assert "stopping" not in portal.said
        portal.signal(signal.SIGINT)
        assert portal.wait() == 0
    finally:
        os.close(ours)
        os.close(theirs)


def _wait_for_question(portal: PortalUp, *, times: int) -> None:
    question = "1 upgrade is running. Workers will hand them over; they go on at the next start. Stop? [y/N]"
    wait_until(
        lambda: portal.said.count(question) == times,
        seconds=PATIENCE_SECONDS,
        what="the question on the screen",
    )
