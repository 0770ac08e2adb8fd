"""What every way to an engine promises of containers, against a real one."""

from __future__ import annotations

import datetime
import itertools
import json
import time
from collections.abc import Callable, Iterator

import pytest

from devices.drivers.docker_engine import DockerEngine
from devices.drivers.engine_containers import ContainerDetails, Mount
from devices.errors import (
    EngineRefused,
    NameTaken,
    NoSuchContainer,
    NoSuchImage,
    UnsafeName,
)
from tests.drivers.engine.engine_under_test import ONE_WAY, EngineUnderTest, ignore
from tests.environment.docker import DockerEngine as RunningEngine
from tests.environment.module_images import build_image, busybox_files
from tests.environment.waiting import wait_until

SLEEP = ["sleep", "600"]
DEAF = ["sh", "-c", "trap '' TERM; while true; do sleep 0.1; done"]


class Cancelled(Exception):
    pass


@pytest.fixture
def docker(under_test: EngineUnderTest, name: str) -> Iterator[Callable[..., str]]:
    """The engine's own command line. What is named as the test is gone afterwards."""
    running = under_test.running
    yield running.docker
    _remove_all(running, name)


def _remove_all(running: RunningEngine, name: str) -> None:
    for kind in ("container", "volume", "network"):
        listing = [kind, "ls", "--quiet", "--filter", f"name={name}"]
        found = running.docker(*listing, *(["--all"] if kind == "container" else []))
        for one in found.split():
            running.docker(kind, "rm", *(["--force"] if kind == "container" else []), one)


def body(image: str, command: list[str]) -> dict[str, object]:
    return {"Image": image, "Cmd": command, "HostConfig": {"NetworkMode": "none"}}


def found(engine: DockerEngine, name: str) -> ContainerDetails:
    details = engine.containers.named(name)
    assert details is not None
    return details


def test_a_container_is_described_whole(
    engine: DockerEngine, docker: Callable[..., str], busybox: str, name: str
) -> None:
    docker("network", "create", name)
    places = [f"--volume={name}:/data:ro", "--volume=/unnamed", "--volume=/etc/hostname:/of-host"]
    options = [*places, f"--network={name}", "--label=a=b c", "--restart=on-failure:3"]
    started = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    container_id = docker("run", "--detach", f"--name={name}", *options, busybox, *SLEEP)
    inspected = json.loads(docker("inspect", name))[0]
    details = found(engine, name)
    assert (details.id, details.name, details.image) == (container_id, name, busybox)
    assert details.image_id == inspected["Image"]
    assert (details.state, details.health, details.exit_code) == ("running", "", 0)
    assert details.labels["a"] == "b c"
    assert started <= datetime.datetime.fromisoformat(details.started_at)
    assert details.finished_at == ""
    unnamed = next(one["Name"] for one in inspected["Mounts"] if one["Destination"] == "/unnamed")
    volumes = f"{engine.root_dir()}/volumes"
    assert sorted(details.mounts, key=lambda mount: mount.target) == [
        Mount("volume", name, f"{volumes}/{name}/_data", "/data", writable=False),
        Mount("bind", "", "/etc/hostname", "/of-host", writable=True),
        Mount("volume", unnamed, f"{volumes}/{unnamed}/_data", "/unnamed", writable=True),
    ]
    address = inspected["NetworkSettings"]["Networks"][name]["IPAddress"]
    assert address
    assert details.networks == {name: address}
    assert (details.restart_policy, details.restart_count) == ("on-failure", 0)
    assert (details.auto_remove, details.network_mode) == (False, name)
    assert details.raw["HostConfig"]["RestartPolicy"]["MaximumRetryCount"] == 3
    docker("rm", "--force", "--volumes", name)


@ONE_WAY
def test_how_a_container_ended_and_was_restarted_is_told(
    engine: DockerEngine, docker: Callable[..., str], busybox: str, name: str
) -> None:
    health = ["--health-cmd=true", "--health-interval=1s", "--restart=on-failure:2", "--rm=false"]
    ending = ["sh", "-c", "sleep 0.2; exit 7"]
    docker("run", "--detach", "--network=none", f"--name={name}", *health, busybox, *ending)
    wait_until(lambda: found(engine, name).state == "exited", seconds=30, what="its end")
    details = found(engine, name)
    assert (details.exit_code, details.restart_count) == (7, 2)
    assert details.started_at <= details.finished_at


def test_a_container_is_found_by_its_whole_name_alone(
    engine: DockerEngine, docker: Callable[..., str], busybox: str, name: str
) -> None:
    container_id = docker("create", "--network=none", f"--name={name}", busybox, *SLEEP)
    assert found(engine, name).state == "created"
    for other in (container_id, container_id[:12], name[:-1], f"{name}x", name.upper()):
        assert engine.containers.named(other) is None
    with pytest.raises(NoSuchContainer, match=f"no container {container_id[:12]}"):
        engine.containers.start(container_id[:12])
    assert found(engine, name).state == "created"


@pytest.mark.parametrize("text", ["", "a", "../x", "a b", "a/b", "a\n", "-rm", "ü" * 3])
def test_what_cannot_be_a_containers_name_reaches_no_engine(
    engine: DockerEngine, text: str
) -> None:
    containers = engine.containers
    calls: list[Callable[[], object]] = [
        lambda: containers.named(text),
        lambda: containers.create(text, {}),
        lambda: containers.start(text),
        lambda: containers.stop(text, grace_seconds=1, on_tick=ignore),
        lambda: containers.remove(text, limit_seconds=1, on_tick=ignore),
        lambda: containers.connect("some-container", text, {}),
        lambda: containers.logs(text, lines=1),
        lambda: containers.write_file(text, "/x", [], size=0),
        lambda: containers.read_command(text, ["true"], limit_seconds=1, on_tick=ignore),
    ]
    for call in calls:
        with pytest.raises(UnsafeName):
            call()


def test_a_container_lives_and_what_is_done_already_is_no_error(
    engine: DockerEngine, docker: Callable[..., str], busybox: str, name: str
) -> None:
    containers = engine.containers
    container_id = containers.create(name, body(busybox, SLEEP))
    assert (found(engine, name).id, found(engine, name).state) == (container_id, "created")
    for _ in range(2):
        containers.start(name)
        assert found(engine, name).state == "running"
    for _ in range(2):
        containers.stop(name, grace_seconds=0, on_tick=ignore)
        assert found(engine, name).state == "exited"
    containers.rename(name, f"{name}-old")
    containers.rename(f"{name}-old", f"{name}-old")
    assert containers.named(name) is None
    assert found(engine, f"{name}-old").id == container_id
    for _ in range(2):
        containers.remove(f"{name}-old", limit_seconds=30, on_tick=ignore)
    assert docker("ps", "--all", "--quiet", "--filter", f"name={name}") == ""
    with pytest.raises(NoSuchContainer):
        containers.rename(name, f"{name}-old")


@ONE_WAY
def test_a_name_that_is_taken_and_an_image_that_is_not_there_are_told_apart(
    engine: DockerEngine, docker: Callable[..., str], busybox: str, name: str
) -> None:
    containers = engine.containers
    containers.create(name, body(busybox, SLEEP))
    with pytest.raises(NameTaken, match=f"called {name} already"):
        containers.create(name, body(busybox, SLEEP))
    containers.create(f"{name}-2", body(busybox, SLEEP))
    with pytest.raises(NameTaken):
        containers.rename(f"{name}-2", name)
    with pytest.raises(NoSuchImage, match=f"no image {name}:1"):
        containers.create(f"{name}-3", body(f"{name}:1", SLEEP))
    assert docker("ps", "--all", "--quiet", "--filter", f"name={name}-3") == ""


@ONE_WAY
def test_what_an_engine_cannot_start_it_says(
    engine: DockerEngine, docker: Callable[..., str], busybox: str, name: str
) -> None:
    engine.containers.create(name, body(busybox, ["/no/such/program"]))
    with pytest.raises(EngineRefused, match="/no/such/program"):
        engine.containers.start(name)
    assert found(engine, name).exit_code == 127


@ONE_WAY
def test_what_runs_is_not_removed_and_volumes_stay(
    engine: DockerEngine, docker: Callable[..., str], busybox: str, name: str
) -> None:
    docker("run", "--detach", f"--name={name}", "--volume=/data", busybox, *SLEEP)
    volume = found(engine, name).mounts[0].volume
    with pytest.raises(EngineRefused, match="running"):
        engine.containers.remove(name, limit_seconds=10, on_tick=ignore)
    assert found(engine, name).state == "running"
    engine.containers.stop(name, grace_seconds=0, on_tick=ignore)
    engine.containers.remove(name, limit_seconds=30, on_tick=ignore)
    assert engine.containers.named(name) is None
    assert volume in engine.volumes()
    docker("volume", "rm", volume)


@ONE_WAY
def test_the_name_of_one_that_removes_itself_is_free_afterwards(
    engine: DockerEngine, docker: Callable[..., str], busybox: str, name: str
) -> None:
    docker("run", "--detach", "--rm", "--network=none", f"--name={name}", busybox, *SLEEP)
    assert found(engine, name).auto_remove
    engine.containers.stop(name, grace_seconds=0, on_tick=ignore)
    engine.containers.remove(name, limit_seconds=30, on_tick=ignore)
    engine.containers.create(name, body(busybox, SLEEP))


def test_a_stop_takes_its_grace_and_ticks_meanwhile(
    engine: DockerEngine, docker: Callable[..., str], busybox: str, name: str
) -> None:
    docker("run", "--detach", "--network=none", f"--name={name}", busybox, *DEAF)
    ticks: list[float] = []
    engine.containers.stop(name, grace_seconds=3, on_tick=lambda: ticks.append(time.monotonic()))
    assert ticks[-1] - ticks[0] > 2
    assert max(after - before for before, after in itertools.pairwise(ticks)) < 2
    assert (found(engine, name).state, found(engine, name).exit_code) == ("exited", 137)


def test_what_a_tick_raises_ends_the_wait_for_a_stop(
    engine: DockerEngine, docker: Callable[..., str], busybox: str, name: str
) -> None:
    def on_tick() -> None:
        raise Cancelled

    docker("run", "--detach", "--network=none", f"--name={name}", busybox, *DEAF)
    with pytest.raises(Cancelled):
        engine.containers.stop(name, grace_seconds=60, on_tick=on_tick)


def test_a_container_is_connected_with_its_settings_once(
    engine: DockerEngine, docker: Callable[..., str], busybox: str, name: str
) -> None:
    docker("network", "create", "--subnet=10.77.0.0/24", name)
    engine.containers.create(name, body(busybox, SLEEP) | {"HostConfig": {}})
    settings = {"Aliases": ["other-name"], "IPAMConfig": {"IPv4Address": "10.77.0.9"}}
    for _ in range(2):
        engine.containers.connect(name, name, settings)
    engine.containers.start(name)
    details = found(engine, name)
    assert sorted(details.networks) == ["bridge", name]
    assert details.networks[name] == "10.77.0.9"
    assert "other-name" in details.raw["NetworkSettings"]["Networks"][name]["Aliases"]
    listed = next(one for one in engine.containers.all() if one.name == name)
    assert listed.network_mode == details.network_mode
    with pytest.raises(EngineRefused, match=f"{name}-2 not found"):
        engine.containers.connect(name, f"{name}-2", {})


@ONE_WAY
def test_one_that_always_runs_can_be_told_to_rest(
    engine: DockerEngine, docker: Callable[..., str], busybox: str, name: str
) -> None:
    docker("create", "--network=none", "--restart=always", f"--name={name}", busybox, *SLEEP)
    engine.containers.set_restart_policy(name, {"Name": "no"})
    assert found(engine, name).restart_policy == "no"
    engine.containers.set_restart_policy(name, {"Name": "on-failure", "MaximumRetryCount": 4})
    assert docker("inspect", "--format={{json .HostConfig.RestartPolicy}}", name) == (
        '{"Name":"on-failure","MaximumRetryCount":4}'
    )


@ONE_WAY
@pytest.mark.parametrize("terminal", [False, True])
def test_the_last_lines_of_a_log_are_read(
    engine: DockerEngine,
    docker: Callable[..., str],
    busybox: str,
    name: str,
    terminal: bool,
) -> None:
    speaking = "for i in 1 2 3 4; do echo out-$i; echo err-$i >&2; done; printf '\\377'"
    options = ["--network=none", f"--name={name}", *(["--tty"] if terminal else [])]
    docker("run", *options, busybox, "sh", "-c", speaking)
    lines = engine.containers.logs(name, lines=1000).split()
    assert sorted(lines)[:8] == [f"{kind}-{i}" for kind in ("err", "out") for i in (1, 2, 3, 4)]
    assert lines[-1].endswith("\N{REPLACEMENT CHARACTER}")
    assert len(engine.containers.logs(name, lines=3).splitlines()) == 3


@ONE_WAY
def test_of_a_long_log_the_end_is_read(
    engine: DockerEngine, docker: Callable[..., str], busybox: str, name: str
) -> None:
    speaking = (
        "i=0; while test $i -lt 3000; do echo line-$i-with-some-more-words-in-it; i=$((i+1)); done"
    )
    docker("run", "--network=none", f"--name={name}", busybox, "sh", "-c", speaking)
    log = engine.containers.logs(name, lines=3000)
    assert len(log) == 65536
    assert log.endswith("line-2999-with-some-more-words-in-it\n")


@ONE_WAY
def test_a_container_without_a_log_says_so(
    engine: DockerEngine, docker: Callable[..., str], busybox: str, name: str
) -> None:
    docker("create", "--log-driver=none", "--network=none", f"--name={name}", busybox, *SLEEP)
    with pytest.raises(EngineRefused, match="does not support reading"):
        engine.containers.logs(name, lines=3)


@ONE_WAY
def test_what_an_image_gives_to_its_containers_is_told(
    engine: DockerEngine, under_test: EngineUnderTest, name: str
) -> None:
    given = 'ENV A=1 B="2 3"\nENTRYPOINT ["/bin/sh"]\nCMD ["-c", "true"]\nWORKDIR /bin\nUSER 7'
    build_image(under_test.running, f"{name}:1", busybox_files(), dockerfile=given)
    config = engine.image_config(f"{name}:1")
    assert {"A=1", "B=2 3"} <= set(config["Env"])
    assert (config["Entrypoint"], config["Cmd"]) == (["/bin/sh"], ["-c", "true"])
    assert (config["WorkingDir"], config["User"]) == ("/bin", "7")
    with pytest.raises(NoSuchImage):
        engine.image_config(f"{name}:2")


@ONE_WAY
def test_a_volume_is_described(engine: DockerEngine, docker: Callable[..., str], name: str) -> None:
    docker("volume", "create", "--label=a=b c", name)
    volume = engine.volume(name)
    assert volume is not None
    assert (volume.name, volume.driver, volume.labels) == (name, "local", {"a": "b c"})
    assert volume.mountpoint == docker("volume", "inspect", "--format={{.Mountpoint}}", name)
    assert engine.volume(f"{name}-2") is None
    with pytest.raises(UnsafeName):
        engine.volume("../etc")
