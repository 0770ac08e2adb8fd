"""What every way to an engine promises of commands and files in containers, against a real one."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Iterator

import pytest

from devices.drivers.docker_engine import DockerEngine
from devices.drivers.engine_ways import SshWay, TcpWay, TlsIdentity, Way
from devices.errors import (
    CommandFailed,
    CommandTimedOut,
    DeviceUnreachable,
    EngineRefused,
    NoSuchContainer,
    NoSuchPath,
    UnsafeName,
)
from tests.drivers.engine.engine_under_test import (
    ONE_WAY,
    TLS_PORT,
    EngineUnderTest,
    ignore,
    ssh_link,
)
from tests.drivers.engine.relay import Relay
from tests.drivers.sshd import RunningSshd
from tests.environment.docker import DockerEngine as RunningEngine
from tests.environment.waiting import wait_until

ROOM = "busybox-that-runs"


class Cancelled(Exception):
    pass


@pytest.fixture(scope="module")
def room(running_engine: RunningEngine, busybox: str) -> Iterator[str]:
    """A container that runs; its name."""
    options = ["--network=none", "--init=false", f"--name={ROOM}", "--env=OURS=container's"]
    running_engine.docker("run", "--detach", *options, busybox, "sleep", "3600")
    yield ROOM
    running_engine.docker("rm", "--force", ROOM)


def execute(engine: DockerEngine, name: str, text: str, *, limit_seconds: float = 60) -> int:
    return engine.containers.execute(
        name, ["sh", "-c", text], limit_seconds=limit_seconds, on_output=_unheard, on_tick=ignore
    )


def _unheard(_: bytes) -> None:
    """For who does not listen."""


def read(
    engine: DockerEngine, name: str, text: str, *, limit_seconds: float = 60
) -> Iterator[bytes]:
    return engine.containers.read_command(
        name, ["sh", "-c", text], limit_seconds=limit_seconds, on_tick=ignore
    )


def test_a_command_is_heard_as_it_speaks_and_its_status_told(
    engine: DockerEngine, under_test: EngineUnderTest, room: str, name: str
) -> None:
    heard: list[bytes] = []

    def on_output(piece: bytes) -> None:
        heard.append(piece)
        if b"first" in piece:  # the command ends only if this is heard before its end
            under_test.running.docker("exec", room, "touch", f"/{name}")

    text = f"echo first; until test -e /{name}; do sleep 0.1; done; echo second >&2; exit 7"
    status = engine.containers.execute(
        room, ["sh", "-c", text], limit_seconds=60, on_output=on_output, on_tick=ignore
    )
    assert status == 7
    assert b"".join(heard) == b"first\nsecond\n"


@ONE_WAY
def test_a_command_has_its_user_and_its_environment(engine: DockerEngine, room: str) -> None:
    heard: list[bytes] = []
    words = ["sh", "-c", 'echo "$OURS $MORE $1"; /bin/busybox id -u', "sh", "a  'b' $c\n*"]
    status = engine.containers.execute(
        room,
        words,
        limit_seconds=60,
        on_output=heard.append,
        on_tick=ignore,
        user="7:8",
        env={"MORE": "x  'y' $z"},
    )
    assert status == 0
    assert b"".join(heard).decode() == "container's x  'y' $z a  'b' $c\n*\n7\n"


@ONE_WAY
@pytest.mark.parametrize("program", ["no-such", "/no/such", "/etc/hosts"])
def test_what_is_no_program_has_one_of_two_statuses(
    engine: DockerEngine, room: str, program: str
) -> None:
    heard: list[bytes] = []
    ended = engine.containers.execute(
        room, [program], limit_seconds=60, on_output=heard.append, on_tick=ignore
    )
    assert ended in (126, 127)
    assert program.encode() in b"".join(heard)


@ONE_WAY
def test_a_command_needs_a_container_that_runs(
    engine: DockerEngine, under_test: EngineUnderTest, busybox: str, name: str
) -> None:
    with pytest.raises(NoSuchContainer):
        execute(engine, name, "true")
    under_test.running.docker("create", "--network=none", f"--name={name}", busybox, "true")
    with pytest.raises(EngineRefused, match="is not running"):
        execute(engine, name, "true")
    with pytest.raises(EngineRefused, match="is not running"):
        read(engine, name, "true")
    under_test.running.docker("rm", name)


def test_a_command_past_its_limit_is_told_and_ticks_were_heard_until_then(
    engine: DockerEngine, room: str
) -> None:
    ticks: list[float] = []
    with pytest.raises(CommandTimedOut, match=f"sleep has not ended within 2 s in .* {room}"):
        engine.containers.execute(
            room,
            ["sleep", "20"],
            limit_seconds=2,
            on_output=_unheard,
            on_tick=lambda: ticks.append(time.monotonic()),
        )
    assert len(ticks) > 2
    with pytest.raises(CommandTimedOut, match="may still run there"):
        list(read(engine, room, "echo a; sleep 20", limit_seconds=2))


@pytest.mark.parametrize("listener", ["on_tick", "on_output"])
def test_what_a_listener_raises_comes_out_unchanged(
    engine: DockerEngine, room: str, listener: str
) -> None:
    def cancel(_: bytes = b"") -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        engine.containers.execute(
            room,
            ["sh", "-c", "echo a; sleep 20"],
            limit_seconds=60,
            on_output=cancel if listener == "on_output" else _unheard,
            on_tick=cancel if listener == "on_tick" else ignore,
        )


def test_a_commands_output_is_read_whole(
    engine: DockerEngine, under_test: EngineUnderTest, room: str, name: str
) -> None:
    data = secrets.token_bytes(5_000_001)
    engine.containers.write_file(room, f"/{name}", [data], size=len(data))
    digest = hashlib.sha256()
    for piece in read(engine, room, f"cat /{name}; echo not this >&2"):
        digest.update(piece)
    assert digest.hexdigest() == hashlib.sha256(data).hexdigest()
    assert list(read(engine, room, "true")) == []


def test_a_command_that_fails_gave_no_whole_output(engine: DockerEngine, room: str) -> None:
    said = "i=0; while test $i -lt 999; do echo words >&2; i=$((i+1)); done; echo 'no table.' >&2"
    pieces = read(engine, room, f"echo part; {said}; exit 3")
    assert next(pieces) == b"part\n"
    with pytest.raises(
        CommandFailed, match=f"^sh ended with status 3 in .* {room}: no table\\.$"
    ) as failed:
        list(pieces)
    assert failed.value.status == 3
    assert failed.value.output.endswith("words\nno table.")
    assert len(failed.value.output) <= 2048


def test_who_reads_no_further_may_go(engine: DockerEngine, room: str) -> None:
    pieces = read(engine, room, "while true; do echo more; done")
    next(pieces)
    pieces.close()  # type: ignore[attr-defined]  # a generator
    read(engine, room, "sleep 1").close()  # type: ignore[attr-defined]
    assert execute(engine, room, "exit 4") == 4


@pytest.mark.parametrize("way", ["tls", "ssh"])
def test_an_output_that_was_cut_is_not_taken_for_a_whole_one(
    running_engine: RunningEngine,
    identity: TlsIdentity,
    engine_sshd: RunningSshd,
    room: str,
    name: str,
    way: str,
) -> None:
    text = f"echo first; until test -e /{name}; do sleep 0.1; done; echo last; touch /{name}-done"
    with Relay(running_engine.address, TLS_PORT) as relay:
        ways: dict[str, Way] = {
            "tls": TcpWay("127.0.0.1", relay.port, identity=identity),
            "ssh": SshWay(ssh_link(engine_sshd), socket_path=str(running_engine.socket)),
        }
        with DockerEngine(ways[way]) as engine:
            pieces = read(engine, room, text)
            assert next(pieces) == b"first\n"
            relay.cut()
            engine_sshd.kill_connections()
            # It ends well, as far as the engine can tell: who asked only that would hear of status 0.
            running_engine.docker("exec", room, "touch", f"/{name}")
            ended = ("exec", room, "test", "-e", f"/{name}-done")
            wait_until(
                lambda: running_engine.attempt(*ended).returncode == 0, seconds=30, what="its end"
            )
            with pytest.raises(DeviceUnreachable):
                list(pieces)


@ONE_WAY
def test_a_container_that_stops_takes_its_commands_along(
    engine: DockerEngine, under_test: EngineUnderTest, busybox: str, name: str
) -> None:
    docker = under_test.running.docker
    docker("run", "--detach", "--network=none", f"--name={name}", busybox, "sleep", "600")
    pieces = read(engine, name, "echo first; sleep 600")
    assert next(pieces) == b"first\n"
    docker("rm", "--force", name)
    with pytest.raises((CommandFailed, DeviceUnreachable)):
        list(pieces)


@pytest.mark.parametrize("state", ["running", "created"])
def test_a_file_is_written_into_a_container(
    engine: DockerEngine, under_test: EngineUnderTest, busybox: str, name: str, state: str
) -> None:
    docker = under_test.running.docker
    begin = ["run", "--detach"] if state == "running" else ["create"]
    docker(*begin, "--network=none", f"--name={name}", "--volume=/data", busybox, "sleep", "600")
    data = secrets.token_bytes(1_000_001)
    pieces = [data[:70_000], b"", data[70_000:]]
    place = "/data/a name with spaces"
    engine.containers.write_file(name, place, iter(pieces), size=len(data), mode=0o640)
    engine.containers.write_file(name, "/data/empty", [], size=0)
    docker("start", name)
    assert b"".join(read(engine, name, f"cat '{place}'")) == data
    listed = b"".join(read(engine, name, "ls -ln /data")).decode()
    assert "-rw-r-----    1 0        0          1000001" in listed
    assert "-rw-------    1 0        0                0" in listed
    docker("rm", "--force", "--volumes", name)


def test_a_file_that_cannot_be_written_says_why(engine: DockerEngine, room: str, name: str) -> None:
    write = engine.containers.write_file
    with pytest.raises(NoSuchPath, match=f"The container {room} has no /{name}"):
        write(room, f"/{name}/file", [b"1"], size=1)
    with pytest.raises(UnsafeName):
        write(room, "../file", [b"1"], size=1)
    with pytest.raises(NoSuchContainer):
        write(name, "/file", [b"1"], size=1)


@ONE_WAY
@pytest.mark.parametrize("size", [0, 9, 11])
def test_a_file_of_another_size_than_was_said_is_an_error(
    engine: DockerEngine, room: str, size: int
) -> None:
    with pytest.raises(ValueError, match=f"other than {size} bytes"):
        engine.containers.write_file(room, "/file", [b"01234", b"56789"], size=size)


def test_what_the_source_of_a_file_raises_comes_out(engine: DockerEngine, room: str) -> None:
    def source() -> Iterator[bytes]:
        yield b"1"
        raise Cancelled

    with pytest.raises(Cancelled):
        engine.containers.write_file(room, "/file", source(), size=10)
