"""The watchdog's own container is made anew: by one that is not in it, with the old one beside it until the new one lives."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator

import pytest

from devices.drivers.docker_engine import DockerEngine
from devices.drivers.engine_ways import UnixWay
from tests.environment.module_images import Files, build_image, busybox_files
from tests.watchdog.stage import PortalStage
from updates.watchdog import successor
from updates.watchdog.heartbeat import BOOT_ID
from updates.watchdog.hidden import Secrets
from updates.watchdog.successor import Successor

pytestmark = pytest.mark.docker

NAME = "a-watchdog"
BEATS = f"""\
#!/bin/sh
trap 'exit 0' TERM
mkdir -p /data/.upgrade-journal
while :; do
  echo "{{\\"at\\": $(date +%s).00, \\"interval\\": 1, \\"pid\\": 1, \\"boot_id\\": \\"{BOOT_ID.read_text().strip()}\\"," \
    "\\"version\\": \\"$1\\", \\"upgrade\\": \\"\\", \\"trouble\\": \\"\\"}}" >/data/.upgrade-journal/draft
  mv /data/.upgrade-journal/draft /data/.upgrade-journal/heartbeat
  sleep 0.5
done
"""


@pytest.fixture(scope="module")
def images(built: PortalStage) -> None:
    for version in ("1", "2"):
        files: Files = {**busybox_files(), "beat": BEATS}
        run = f'CMD ["/bin/sh", "/beat", "{version}"]'
        build_image(built.engine, f"watchdog:{version}", files, dockerfile=run)
    dead = 'CMD ["/bin/sh", "-c", "echo I cannot; exit 1"]'
    build_image(built.engine, "watchdog:dead", busybox_files(), dockerfile=dead)


@pytest.fixture
def stage(built: PortalStage, images: None) -> Iterator[PortalStage]:
    built.engine.docker(
        *("run", "--detach", "--name", NAME, "--network", "none", "--restart", "unless-stopped"),
        *("--volume", "portal_data:/data", "--env", "MINE=kept", "watchdog:1"),
    )
    built.folder.make()
    yield built
    built.down()


def succeed(stage: PortalStage, image: str) -> bool:
    with DockerEngine(UnixWay(stage.engine.url.removeprefix("unix://"))) as engine:
        return Successor(engine, stage.folder, name=NAME, image=image, upgrade="an-id").succeed()


def watchdogs(stage: PortalStage) -> dict[str, str]:
    listed = stage.engine.docker("ps", "--all", "--format", "{{.Names}} {{.Image}} {{.State}}")
    rows = [line.split() for line in listed.splitlines()]
    return {name: f"{image} {state}" for name, image, state in rows}


def test_the_new_one_takes_its_place_with_all_that_it_had(stage: PortalStage) -> None:
    assert succeed(stage, "watchdog:2")

    assert watchdogs(stage) == {NAME: "watchdog:2 running"}
    said = stage.engine.docker(
        "inspect",
        "--format",
        "{{.Config.Env}} {{.HostConfig.NetworkMode}} {{.HostConfig.RestartPolicy.Name}}",
        NAME,
    )
    assert "MINE=kept" in said
    assert said.endswith("none unless-stopped")


def test_one_that_gives_no_sign_of_life_gives_way_to_the_old(
    stage: PortalStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(successor, "ALIVE_SECONDS", 5.0)
    assert not succeed(stage, "watchdog:dead")

    assert watchdogs(stage) == {NAME: "watchdog:1 running"}


@pytest.mark.parametrize("cut_after", [0.2, 0.7, 1.5])
def test_who_is_cut_off_and_starts_again_ends_what_was_begun(
    stage: PortalStage, cut_after: float
) -> None:
    pid = os.fork()
    if pid == 0:
        threading.Timer(cut_after, lambda: os._exit(9)).start()
        try:
            succeed(stage, "watchdog:2")
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    time.sleep(0.1)

    assert succeed(stage, "watchdog:2")
    assert watchdogs(stage) == {NAME: "watchdog:2 running"}


def test_what_the_environment_hides_is_known(stage: PortalStage) -> None:
    url = "DATABASE_URL=postgres://fleet:p%40ss@db/fleet"
    stage.engine.docker(
        *("run", "--detach", "--name", "web", "--env", "SECRET_KEY=s3cret", "--env", url),
        *("--env", "FIELD_KEYS=one-key,two-key", "--env", "COLOUR=blue", "watchdog:1"),
    )
    with DockerEngine(UnixWay(stage.engine.url.removeprefix("unix://"))) as engine:
        secrets = Secrets(engine, ["late", "web"])
        assert set(secrets()) == {"s3cret", "one-key", "two-key", "p%40ss", "p@ss"}
        late = ("run", "--detach", "--name", "late", "--env", "API_TOKEN=later", "watchdog:1")
        stage.engine.docker(*late)
        assert "later" in secrets()
        stage.engine.docker("rm", "--force", "late")
        assert "later" in secrets()


def test_what_the_environment_hides_is_known_as_soon_as_the_engine_answers(
    stage: PortalStage,
) -> None:
    stage.engine.docker(
        *("run", "--detach", "--restart", "always", "--name", "web"),
        *("--env", "SECRET_KEY=s3cret", "watchdog:1"),
    )
    with DockerEngine(UnixWay(stage.engine.url.removeprefix("unix://"))) as engine:
        secrets = Secrets(engine, ["web"])
        stage.engine.stop()
        assert secrets() == ()
        stage.engine.start()
        assert secrets() == ("s3cret",)
