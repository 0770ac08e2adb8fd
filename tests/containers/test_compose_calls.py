"""What Compose is called with, for each of its generations. What 2 makes of it is read in its sources, not run here."""

from __future__ import annotations

import pytest

from devices.drivers.local import LocalShell
from updates.errors import ComposeRefused
from updates.formats.compose import ComposeProject
from updates.recipes.container.compose import Compose, Program

ONE = Program(words=("docker-compose",), version="1.29.2", major=1)
TWO = Program(words=("docker", "compose"), version="2.29.1", major=2)
ALONE = Program(words=("docker-compose",), version="2.6.1", major=2)
PROJECT = ComposeProject(
    name="shop",
    service="front",
    working_dir="/srv/shop",
    folder="/srv/shop",
    files=("/srv/shop/compose.yml", "/etc/prod.yml"),
    env_files=("/srv/shop/prod.env",),
)
WHERE = [
    *("--ansi", "never", "-p", "shop", "--project-directory", "/srv/shop"),
    *("-f", "/srv/shop/compose.yml", "-f", "/etc/prod.yml", "--env-file", "/srv/shop/prod.env"),
]
UP = ["up", "--no-start", "--force-recreate", "--no-deps", "--no-build"]
END = ["--scale", "front=2", "--timeout", "30", "front"]


def compose(program: Program, *, container: str = "the-shop", docker_host: str = "") -> Compose:
    return Compose(LocalShell(), program, PROJECT, container=container, docker_host=docker_host)


CREATES = [
    (ONE, "the-shop", ["docker-compose", *WHERE, *UP, *END]),
    (TWO, "the-shop", ["docker", "compose", *WHERE, *UP, "--pull", "never", *END]),
    (ALONE, "the-shop", ["docker-compose", *WHERE, *UP, "--pull", "never", *END]),
    (TWO, "shop-front-1", ["docker", "compose", *WHERE, *UP, "--pull", "never", *END]),
    (
        TWO,
        "shop_front_1",
        ["docker", "compose", *WHERE, "--compatibility", *UP, "--pull", "never", *END],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("program", "container", "command"), CREATES)
def test_creating(program: Program, container: str, command: list[str]) -> None:
    call = compose(program, container=container).create(scale=2, grace_seconds=30)
    assert list(call.command) == command
    assert call.cwd == "/srv/shop"
    assert call.env == {}


def test_starting_and_stopping() -> None:
    assert list(compose(TWO).start().command) == ["docker", "compose", *WHERE, "start", "front"]
    stop = compose(ONE).stop(grace_seconds=7)
    assert list(stop.command) == ["docker-compose", *WHERE, "stop", "--timeout", "7", "front"]


def test_an_engine_elsewhere_is_named_in_the_environment() -> None:
    call = compose(TWO, docker_host="tcp://engine:2376").start()
    assert call.env == {"DOCKER_HOST": "tcp://engine:2376"}


def test_several_env_files_are_more_than_compose_1_takes() -> None:
    project = ComposeProject(
        name="shop",
        service="front",
        working_dir="/srv",
        folder="/srv",
        files=("/srv/a.yml",),
        env_files=("/srv/a.env", "/srv/b.env"),
    )
    assert Compose(LocalShell(), TWO, project, container="x1")
    with pytest.raises(ComposeRefused, match="takes one only") as caught:
        Compose(LocalShell(), ONE, project, container="x1")
    assert caught.value.rule == "other-compose"
