"""The portal in production: its image, and what compose.yaml and its overlay make of it."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator

import pytest

from tests.e2e.production import FILES, PROJECT, START_SECONDS, Production, inspected
from tests.environment.docker import DockerEngine
from tests.environment.portal_images import ROOT, portal_image
from tests.environment.waiting import wait_until
from tests.environment.workdir import workdir

pytestmark = pytest.mark.e2e

VERSION = "1.4.0"
PORTAL = ("web", "worker", "scheduler")


@pytest.fixture(scope="module")
def image(docker_engine: DockerEngine) -> str:
    return portal_image(docker_engine, VERSION)


@pytest.fixture(scope="module")
def production(docker_engine: DockerEngine, image: str) -> Iterator[Production]:
    """The set, as an operator has it before the first start."""
    found = Production(docker_engine, workdir() / "production", version=VERSION)
    yield found
    found.remove()


def in_image(engine: DockerEngine, image: str, *command: str) -> str:
    return engine.docker("run", "--rm", "--network", "none", image, *command)


def test_the_images_label_and_the_portal_name_the_same_version(
    docker_engine: DockerEngine, image: str
) -> None:
    labels = inspected(docker_engine, image)["Config"]["Labels"]
    assert labels["org.opencontainers.image.version"] == VERSION
    script = "from django.conf import settings; print(settings.VERSION)"
    said = in_image(docker_engine, image, "python", "manage.py", "shell", "-v0", "-c", script)
    assert said.splitlines()[-1] == VERSION


def test_without_an_argument_the_image_is_of_the_projects_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert f"ARG VERSION={project}\n" in (ROOT / "Dockerfile").read_text()


def test_the_image_holds_the_portal_alone_and_runs_as_nobody(
    docker_engine: DockerEngine, image: str
) -> None:
    assert in_image(docker_engine, image, "id", "-u") == "10001"
    held = set(in_image(docker_engine, image, "ls", "-A", "/app").split()) - {"__pycache__"}
    apps = {"devices", "patches", "portal", "updates"}
    assert held == {*apps, "manage.py", "static", "staticfiles", "templates"}
    assert in_image(docker_engine, image, "find", "/app", "-writable", "-not", "-type", "l") == ""
    assert in_image(docker_engine, image, "docker-compose", "version", "--short")


def test_secrets_have_to_be_made_first(production: Production) -> None:
    whole = (production.folder / ".env").read_text()
    assert (production.folder / ".env").stat().st_mode & 0o077 == 0
    for name in ("SECRET_KEY", "FIELD_KEYS", "POSTGRES_PASSWORD"):
        lines = [line for line in whole.splitlines() if not line.startswith(f"{name}=")]
        (production.folder / ".env").write_text("\n".join(lines))
        with pytest.raises(RuntimeError, match=f"{name}.*is missing in .env"):
            production.compose("config", "--quiet")
    (production.folder / ".env").write_text(whole)


def test_an_operator_starts_it_signs_in_and_starts_it_again(production: Production) -> None:
    production.up()
    assert production.ask("/livez") == (200, "alive")
    password = production.password()
    session = production.sign_in(password)
    assert "Overview" in session.get(f"{production.url}/", timeout=30).text
    style = session.get(f"{production.url}/static/fleetwright/fleet.css", timeout=30)
    assert style.status_code == 200, "collected when the image was built"
    for service in PORTAL:
        found = production.container(service)
        assert found["State"]["Running"]
        assert found["Config"]["User"] == "fleetwright"
        assert found["HostConfig"]["ReadonlyRootfs"]
        assert found["RestartCount"] == 0, service
    assert len(production.compose("ps", "--quiet", "worker").split()) == 2

    production.compose("down", "--timeout", "20")
    production.up()
    production.sign_in(password)
    with pytest.raises(AssertionError):
        production.password()  # it was told once


def test_the_overlay_adds_a_watchdog_that_reaches_no_network(production: Production) -> None:
    production.compose("up", "--no-start", "--no-build", upgrades=True)
    watchdog, web = production.container("watchdog"), production.container("web")
    assert watchdog["Image"] == web["Image"], "it knows the same recipes"
    assert watchdog["Config"]["Labels"]["com.docker.compose.project"] == PROJECT
    host = watchdog["HostConfig"]
    assert (host["NetworkMode"], host["ReadonlyRootfs"]) == ("none", True)
    mounts = {one["Destination"]: one for one in watchdog["Mounts"]}
    assert set(mounts) == {
        "/data",
        "/registry-logins.json",
        "/watchdog",
        "/var/run/docker.sock",
        str(production.folder),
    }
    own_path = mounts[str(production.folder)]
    assert (own_path["Source"], own_path["RW"]) == (str(production.folder), False)
    assert mounts["/data"]["Name"] == web["Mounts"][0]["Name"] == f"{PROJECT}_data"
    assert f"{PROJECT}_watchdog" == mounts["/watchdog"]["Name"], "its own, and nobody else's"
    assert "/watchdog" not in {one["Destination"] for one in web["Mounts"]}
    assert (watchdog["Name"], web["Name"]) == ("/fleetwright-upgrader", "/fleetwright")
    for service in PORTAL:
        assert "AUTO_UPGRADE_ENABLED=true" in production.container(service)["Config"]["Env"]


def test_the_watchdog_waits_for_orders_where_the_portal_sees_it(production: Production) -> None:
    production.compose("up", "--no-start", "--no-build", upgrades=True)
    production.compose("up", "--detach", "--no-build", "--no-deps", "watchdog", upgrades=True)
    wait_until(
        lambda: (
            "Monitoring /data/.upgrade-trigger"
            in production.compose("logs", "watchdog", upgrades=True)
        ),
        seconds=START_SECONDS,
        what="the watchdog says what it waits for",
    )
    engine = production.engine
    inside = ("exec", "--user", "10001", "fleetwright-upgrader")
    beats = engine.docker(*inside, "cat", "/data/.upgrade-journal/heartbeat")
    assert VERSION in beats
    refused = engine.attempt("exec", "fleetwright-upgrader", "touch", "/app/x")
    assert b"Read-only file system" in refused.stderr
    files = [f"--file={production.folder}/{name}" for name in FILES]
    listed = engine.docker(
        "exec", "fleetwright-upgrader", "docker-compose", *files, "ps", "-q", "web"
    )
    assert listed == production.container("web")["Id"], (
        "its own Compose reads the files and asks the engine"
    )
