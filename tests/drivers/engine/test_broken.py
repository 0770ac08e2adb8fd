"""Engines, registries and connections that go away in the middle: an error that says so, never a short answer."""

from __future__ import annotations

import contextlib
import secrets
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from devices.drivers.docker_engine import DockerEngine
from devices.drivers.engine import EngineLimits, RegistryLogin
from devices.drivers.engine_ways import SshWay, TlsIdentity, UnixWay
from devices.errors import DeviceUnreachable, EngineUnreachable, OutOfSpace, PullFailed
from tests.drivers.engine.conftest import tls_options
from tests.drivers.engine.engine_under_test import EngineUnderTest, ignore, packed, ssh_link
from tests.drivers.sshd import RunningSshd
from tests.environment.certificates import Certified, certified
from tests.environment.docker import DockerEngine as RunningEngine
from tests.environment.docker import private_engine
from tests.environment.module_images import Entry, build_image, busybox_files, push_image
from tests.environment.network import private_network
from tests.environment.programs import need_root
from tests.environment.registry import Registry
from tests.environment.waiting import wait_until
from tests.environment.workdir import workdir

LARGE = 48 << 20


class Cancelled(Exception):
    pass


@pytest.fixture(scope="module")
def mortal_engine(
    portal_certificates: Certified, registry: Registry
) -> Iterator[tuple[RunningEngine, TlsIdentity]]:
    """An engine that tests stop and kill."""
    network = private_network()
    server = certified(network.inside)
    folder = workdir() / "mortal-engine"
    options = tls_options(folder, network=network, server=server, client=portal_certificates)
    engine = private_engine(folder, network=network, options=options)
    registry.show_to(engine)
    yield (
        engine,
        TlsIdentity(server.authority, portal_certificates.certificate, portal_certificates.key),
    )
    engine.remove()


@pytest.fixture
def mortal(
    under_test: EngineUnderTest, mortal_engine: tuple[RunningEngine, TlsIdentity]
) -> EngineUnderTest:
    """Reached as `under_test` is."""
    engine, identity = mortal_engine
    return replace(under_test, running=engine, identity=identity)


@pytest.fixture
def hanging(registry: Registry) -> Iterator[Registry]:
    registry.hang()
    yield registry
    registry.go_on()


def pull(
    engine: DockerEngine,
    reference: str,
    *,
    on_tick: Callable[[], None] = ignore,
    limit_seconds: float = 60,
) -> None:
    engine.pull(
        reference, login=None, on_progress=ignore, on_tick=on_tick, limit_seconds=limit_seconds
    )


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_an_engine_that_ends_in_the_middle_of_a_pull_is_unreachable(
    mortal: EngineUnderTest, hanging: Registry, name: str, end: str
) -> None:
    ticks: list[float] = []

    def on_tick() -> None:
        ticks.append(time.monotonic())
        if len(ticks) == 3:
            getattr(mortal.running, end)()

    with mortal.open() as engine:
        with pytest.raises(EngineUnreachable, match="broke"):
            pull(engine, f"{hanging.host}/{name}:1", on_tick=on_tick)
        with pytest.raises(DeviceUnreachable):
            engine.version()
        mortal.running.start()
        assert engine.image(name) is None


def test_an_engine_that_ends_in_the_middle_of_an_export_is_unreachable(
    mortal: EngineUnderTest, name: str
) -> None:
    data = {"data/large": Entry(secrets.token_bytes(LARGE))}
    image_id = build_image(mortal.running, f"{name}:1", data)
    with mortal.open(EngineLimits(helper_seconds=0)) as sweeper, mortal.open() as engine:
        stream = engine.export(image_id, "/data")
        next(stream)
        mortal.running.kill()
        with pytest.raises(EngineUnreachable, match="broke"):
            list(stream)
        mortal.running.start()
        # Its helper could not be removed any more, and is what `sweep` is for.
        assert sweeper.sweep() == 1
        engine.remove_image(image_id)


def test_an_engine_that_ends_while_a_volume_is_written_is_unreachable(
    mortal: EngineUnderTest, name: str
) -> None:
    def dying() -> Iterator[bytes]:
        data = packed({"large": secrets.token_bytes(LARGE)})
        for start in range(0, len(data), 1 << 20):
            if start == 8 << 20:
                mortal.running.kill()
            yield data[start : start + (1 << 20)]

    with mortal.open() as engine:
        with pytest.raises(EngineUnreachable):
            engine.write_volume(name, dying())
        mortal.running.start()
        engine.write_volume(name, [packed({"a": b"1"})])


@pytest.mark.parametrize(
    ("under_test", "work"),
    [("unix", "read"), ("tls", "execute"), ("ssh", "stop")],
    indirect=["under_test"],
)
def test_an_engine_that_ends_while_it_works_on_a_container_is_unreachable(
    mortal: EngineUnderTest, name: str, work: str
) -> None:
    docker = mortal.running.docker
    build_image(mortal.running, f"{name}:1", busybox_files())
    heard = "" if work == "stop" else "exit"
    running = ["sh", "-c", f"trap '{heard}' TERM; while true; do sleep 0.1; done"]
    docker("run", "--detach", "--network=none", f"--name={name}", f"{name}:1", *running)
    began = time.monotonic()

    def on_tick() -> None:
        if time.monotonic() - began > 1:
            mortal.running.kill()

    with mortal.open() as engine:
        with pytest.raises(EngineUnreachable):
            _work_on(engine, name, work, on_tick)
        assert time.monotonic() - began < 30
        mortal.running.start()
        engine.containers.stop(name, grace_seconds=0, on_tick=ignore)
        engine.containers.remove(name, limit_seconds=30, on_tick=ignore)


def _work_on(engine: DockerEngine, name: str, work: str, on_tick: Callable[[], None]) -> None:
    containers, command = engine.containers, ["sh", "-c", "echo first; sleep 600"]
    if work == "stop":
        containers.stop(name, grace_seconds=600, on_tick=on_tick)
    elif work == "execute":
        containers.execute(
            name, command, limit_seconds=600, on_output=lambda _: None, on_tick=on_tick
        )
    else:
        list(containers.read_command(name, command, limit_seconds=600, on_tick=on_tick))


@pytest.mark.parametrize("trouble", ["killed", "frozen"])
def test_an_ssh_connection_that_is_lost_in_the_middle_is_unreachable(
    running_engine: RunningEngine, engine_sshd: RunningSshd, name: str, trouble: str
) -> None:
    data = {"data/large": Entry(secrets.token_bytes(LARGE))}
    image_id = build_image(running_engine, f"{name}:1", data)
    link = ssh_link(engine_sshd, silence_seconds=2)
    way = SshWay(link, socket_path=str(running_engine.socket))
    with DockerEngine(way) as engine:
        stream = engine.export(image_id, "/data")
        next(stream)
        if trouble == "frozen":
            engine_sshd.freeze_connections()
        else:
            engine_sshd.kill_connections()
        with pytest.raises(DeviceUnreachable):
            list(stream)
        engine_sshd.kill_connections()
    with DockerEngine(way, limits=EngineLimits(helper_seconds=0)) as again:
        assert again.image(image_id) is not None
        again.sweep()


def test_ticks_are_heard_each_second_while_a_registry_hangs_and_end_the_pull(
    under_test: EngineUnderTest, hanging: Registry, name: str
) -> None:
    began = time.monotonic()
    ticks: list[float] = []

    def on_tick() -> None:
        ticks.append(time.monotonic() - began)
        if ticks[-1] > 2:
            raise Cancelled

    with under_test.open() as engine, pytest.raises(Cancelled):
        pull(engine, f"{hanging.host}/{name}:1", on_tick=on_tick)
    assert len(ticks) > 2


def test_what_a_tick_raises_comes_out_though_it_looks_like_the_networks_trouble(
    under_test: EngineUnderTest, hanging: Registry, name: str
) -> None:
    class Lost(TimeoutError):
        pass

    def on_tick() -> None:
        raise Lost

    with under_test.open() as engine, pytest.raises(Lost):
        pull(engine, f"{hanging.host}/{name}:1", on_tick=on_tick)


def test_a_pull_that_takes_too_long_has_failed(
    under_test: EngineUnderTest, hanging: Registry, name: str
) -> None:
    with under_test.open() as engine, pytest.raises(PullFailed, match="took longer than 2 s"):
        pull(engine, f"{hanging.host}/{name}:1", limit_seconds=2)


def test_a_registry_that_is_down_is_a_failed_pull(
    under_test: EngineUnderTest, running_engine: RunningEngine, name: str
) -> None:
    down = Registry(workdir() / name)
    with under_test.open() as engine, pytest.raises(PullFailed, match="connection refused"):
        pull(engine, f"{down.host}/{name}:1")


def test_a_pull_shows_its_login_and_its_secret_is_in_no_error(
    under_test: EngineUnderTest, name: str
) -> None:
    registry = Registry(workdir() / name, users={"oper": "geheim:ü"})
    registry.start()
    registry.show_to(under_test.running)
    reference = f"{registry.host}/{name}:1"
    push_image(under_test.running, reference, {"a": name}, login=("oper", "geheim:ü"))

    def pull_as(login: RegistryLogin | None) -> None:
        with under_test.open() as engine:
            engine.pull(
                reference, login=login, on_progress=ignore, on_tick=ignore, limit_seconds=60
            )

    with pytest.raises(PullFailed, match="no basic auth credentials"):
        pull_as(None)
    with pytest.raises(PullFailed) as failed:
        pull_as(RegistryLogin("oper", "something-else"))
    assert "something-else" not in str(failed.value)
    pull_as(RegistryLogin("oper", "geheim:ü"))
    registry.remove()


@pytest.fixture(scope="module")
def small_engine(registry: Registry) -> Iterator[RunningEngine]:
    """An engine whose disk is a few MiB."""
    need_root("a small disk")
    folder = workdir() / "small-engine"
    (folder / "data").mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder / "data")]
    subprocess.run(mount, check=True)
    try:
        engine = private_engine(folder)
        registry.show_to(engine)
        yield engine
        engine.stop()
    finally:
        subprocess.run(["umount", "--lazy", str(folder / "data")], check=True)
        with contextlib.suppress(UnboundLocalError):
            engine.remove()


def test_a_full_disk_is_told_apart(
    small_engine: RunningEngine, running_engine: RunningEngine, registry: Registry, name: str
) -> None:
    reference = f"{registry.host}/{name}:1"
    large = Entry(secrets.token_bytes(40 << 20))
    push_image(running_engine, reference, {"large": large})
    with DockerEngine(UnixWay(str(small_engine.socket))) as engine:
        with pytest.raises(OutOfSpace, match=r"no room for .*: .*no space left on device"):
            pull(engine, reference)
        assert engine.image(reference) is None
        with pytest.raises(OutOfSpace):
            engine.write_volume(name, [packed({"large": large.data})])
        engine.write_volume(name, [packed({"small": b"1"})])
        wait_until(lambda: engine.containers.all() == [], seconds=10, what="no helpers")
