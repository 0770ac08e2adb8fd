"""The real parts as fixtures. A part starts with the first test that asks for it, and stops with the run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import hypothesis
import pytest
from django.conf import settings
from playwright.sync_api import Browser, Page

from portal.core.transfers import transfers
from tests.containers.stage import Stage as ContainerStage
from tests.environment import database, postgres
from tests.environment.chromium import open_page, running_chromium
from tests.environment.device_container import DeviceContainer
from tests.environment.docker import DockerEngine, private_engine
from tests.environment.erlang import Erlang
from tests.environment.redis import RedisServer
from tests.environment.variables import missing_database
from tests.environment.workdir import remove_workdir, workdir
from tests.modules.stage import Stage

pytest_plugins = ["tests.environment.skips"]

# How long an example takes says what else the machine does, and nothing of what is tested.
hypothesis.settings.register_profile(
    "untimed", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("untimed")

MARKED_BY_FIXTURE = {
    "docker_engine": "docker",
    "container_stage": "docker",
    "chromium": "browser",
    "db": "database",
    "transactional_db": "database",
}

ONLY_POSTGRESQL = ("tests/access", "tests/scale")
"""What is dear and the same on both databases is looked at on the one of larger fleets."""

_device_numbers = count(1)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """`database` means pytest-django's `django_db`, with its arguments; what a test uses marks it, and where it stands."""
    for item in items:
        marked = item.get_closest_marker("database")
        if marked is not None:
            item.add_marker(pytest.mark.django_db(*marked.args, **marked.kwargs))
        for fixture, marker in MARKED_BY_FIXTURE.items():
            if fixture in getattr(item, "fixturenames", []):
                item.add_marker(marker)
        if item.get_closest_marker("database") and item.nodeid.startswith(ONLY_POSTGRESQL):
            item.add_marker("only_postgresql")
        if missing_database:
            item.add_marker(pytest.mark.skip(reason=missing_database[0]))


@pytest.hookimpl(trylast=True)
def pytest_unconfigure() -> None:
    postgres.stop_shared()
    remove_workdir()


@pytest.fixture(autouse=True)
def every_transfer_ends() -> Iterator[None]:
    """A test that leaves some under way fails, and the tests after it have all places."""
    yield
    left = len(transfers._under_way)
    transfers._under_way.clear()
    assert left == 0, f"{left} transfers are under way still"


@pytest.fixture
def database_url(transactional_db: None) -> str:
    """The test's own database, for the portal's processes that a test starts."""
    return database.url()


@pytest.fixture(scope="session")
def _redis_of_this_process() -> Iterator[RedisServer]:
    server = RedisServer(Path(settings.REDIS_URL.removeprefix("unix://")))
    yield server
    server.stop()


@pytest.fixture
def redis_server(_redis_of_this_process: RedisServer) -> RedisServer:
    """The server that `settings.REDIS_URL` names, empty. A test may stop and start it."""
    _redis_of_this_process.empty()
    return _redis_of_this_process


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """The URL of a Redis that runs and is empty; the same as `settings.REDIS_URL`."""
    return redis_server.url


@pytest.fixture(scope="session")
def docker_engine() -> Iterator[DockerEngine]:
    """A Docker Engine of the tests' own."""
    engine = private_engine(workdir() / "engine")
    yield engine
    engine.remove()


@pytest.fixture
def device_container(docker_engine: DockerEngine) -> Iterator[Callable[..., DeviceContainer]]:
    """Makes devices that have booted: `device_container()` or `device_container(device_type="…")`."""
    devices: list[DeviceContainer] = []

    def boot(*, device_type: str = "test-device") -> DeviceContainer:
        name = f"device{next(_device_numbers)}"
        device = DeviceContainer(docker_engine, name=name, device_type=device_type)
        devices.append(device)
        return device

    yield boot
    for device in devices:
        device.remove()


@pytest.fixture(scope="session")
def module_stage(docker_engine: DockerEngine) -> Iterator[Stage]:
    """A registry with a module in it, and devices that have an engine to run it."""
    stage = Stage(docker_engine, workdir() / "module-registry")
    yield stage
    stage.remove()


@pytest.fixture(scope="session")
def container_stage() -> Iterator[ContainerStage]:
    """A device with an engine of its own and a registry, for containers that are upgraded."""
    stage = ContainerStage(workdir() / "containers")
    yield stage
    stage.remove()


@pytest.fixture(scope="session")
def erlang() -> Iterator[Erlang]:
    """Where Erlang nodes of a small application can be started: `erlang.node("name", root=folder)`."""
    with Erlang(workdir() / "erlang") as world:
        yield world


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """A real browser. It reaches loopback only."""
    with running_chromium() as browser:
        yield browser


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A page of a fresh visitor; the test fails if a script on it fails."""
    with open_page(chromium) as page:
        yield page
