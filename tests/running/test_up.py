"""One command runs the whole portal, and leaves nothing behind."""

from __future__ import annotations

import os
import shutil
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from portal.settings.own_redis import own_socket
from tests.environment.waiting import wait_until
from tests.running.conftest import StartUp
from tests.running.portal_up import PortalUp

pytestmark = pytest.mark.e2e

PATIENCE_SECONDS = 120
PASSWORD = "Made the user admin with the password"


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PortalUp]:
    """A group that runs and is ready, for tests that leave it so."""
    var = tmp_path_factory.mktemp("portal") / "var"
    group = PortalUp(var=var, env={"DATABASE_URL": f"sqlite:///{var / 'fleetwright.sqlite3'}"})
    try:
        group.wait_until_ready()
        yield group
    finally:
        group.end()


def test_it_is_ready_and_says_where_and_for_whom(portal: PortalUp) -> None:
    assert portal.get("/livez") == (200, {"status": "alive"})
    assert portal.get("/readyz")[0] == 200
    wait_until(
        lambda: f"Fleetwright is ready: http://127.0.0.1:{portal.port}/" in portal.said,
        seconds=PATIENCE_SECONDS,
        what="the URL on the screen",
    )
    assert portal.said.count(PASSWORD) == 1


def test_its_redis_is_closed_to_other_users(portal: PortalUp) -> None:
    assert (portal.var / "redis").stat().st_mode & 0o777 == 0o700


def test_a_second_one_in_the_same_folder_is_refused_in_one_sentence(portal: PortalUp) -> None:
    second = PortalUp(var=portal.var, env={})
    assert "`manage.py up` is already running here" in second.refusal()
    assert "Traceback" not in second.said


def test_a_taken_port_is_said_in_one_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        group = PortalUp(var=tmp_path / "var", env={}, port=taken.getsockname()[1])
        assert f"Port {group.port} on 127.0.0.1 is taken" in group.refusal()
    assert "Traceback" not in group.said
    assert PASSWORD not in group.said, "the password is told by a portal that runs"


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"REDIS_URL": "unix:///nowhere/redis.sock"}, "The Redis that REDIS_URL names"),
        ({"DATABASE_URL": "postgres://u:p4ssw0rd@127.0.0.1:1/x"}, "The database at 127.0.0.1"),
    ],
)
def test_a_server_that_does_not_answer_is_said_in_one_sentence(
    start_up: StartUp, variables: dict[str, str], sentence: str
) -> None:
    group = start_up(**variables)
    assert sentence in group.refusal()
    assert "Traceback" not in group.said
    assert "p4ssw0rd" not in group.said


@pytest.mark.parametrize("words", ["granian", "rqworker", "redis-server", "recover"])
def test_a_killed_program_comes_back(portal: PortalUp, words: str) -> None:
    killed = portal.program(words)
    os.kill(killed, signal.SIGKILL)
    wait_until(
        lambda: _comes_back(portal, words, killed),
        seconds=PATIENCE_SECONDS,
        what=f"another {words}",
    )
    portal.wait_until_ready()
    assert "ended with signal 9; again in" in portal.said


def _comes_back(portal: PortalUp, words: str, killed: int) -> bool:
    try:
        return portal.program(words) != killed
    except LookupError:
        return False


def _lives(pid: int) -> bool:
    """Whether the process runs: one that has ended, and that nobody has taken notice of yet, does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def test_stopping_leaves_no_process_and_the_next_start_tells_no_password(start_up: StartUp) -> None:
    group = start_up()
    group.wait_until_ready()
    family = group.family()
    assert len(family) >= 4, "web, worker, scheduler, Redis"
    assert group.stop() == 0
    assert [pid for pid in family if _lives(pid)] == []

    again = start_up()
    again.wait_until_ready()
    assert PASSWORD not in again.said


def test_a_killed_group_ends_by_itself_and_the_next_one_waits_for_that(start_up: StartUp) -> None:
    group = start_up()
    group.wait_until_ready()
    family = group.family()
    group.kill()
    again = start_up()
    again.wait_until_ready()
    assert [pid for pid in family if _lives(pid)] == []


def test_a_folder_with_a_name_too_long_for_a_socket_will_do(tmp_path: Path) -> None:
    var = tmp_path / ("x" * 100) / "var"
    group = PortalUp(var=var, env={"DATABASE_URL": f"sqlite:///{var / 'fleetwright.sqlite3'}"})
    try:
        group.wait_until_ready()
        assert not (var / "redis").exists()
    finally:
        group.end()
        shutil.rmtree(own_socket(var).parent)
