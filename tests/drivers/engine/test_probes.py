"""The health gate, asked of real servers, commands and containers."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from devices.drivers import probes
from devices.drivers.dial import Dial, dial_straight
from devices.drivers.docker_engine import DockerEngine
from devices.drivers.engine_ways import UnixWay
from devices.drivers.local import LocalShell
from devices.drivers.probes import (
    CommandProbe,
    ContainerProbe,
    HttpProbe,
    Probe,
    TcpProbe,
    gate,
)
from devices.drivers.ssh import SshAddress
from devices.drivers.ssh_dial import SshDial
from devices.drivers.ssh_login import KeyLogin
from devices.errors import HealthFailed
from tests.drivers.sshd import RunningSshd
from tests.environment.docker import DockerEngine as RunningEngine
from tests.environment.module_images import build_image, busybox_files
from tests.environment.ports import free_port
from tests.environment.waiting import wait_until


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        status = 200 if self.path == "/health?deep=1" else 503
        self.send_response(status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def web_server() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


@contextmanager
def talking_server(says: bytes) -> Iterator[int]:
    """Says the same to everybody, and keeps the line open."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        lines: list[socket.socket] = []

        def serve() -> None:
            try:
                while True:
                    lines.append(listener.accept()[0])
                    lines[-1].sendall(says)
            except OSError:
                return

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
        for line in lines:
            line.close()


@pytest.fixture(params=["straight", "ssh"])
def dial(request: pytest.FixtureRequest) -> Iterator[Dial]:
    if request.param == "straight":
        yield dial_straight
        return
    sshd: RunningSshd = request.getfixturevalue("engine_sshd")
    address = SshAddress(sshd.host, sshd.port, sshd.user)
    login = KeyLogin(sshd.client_key_pem)
    with SshDial(address, login=login, host_key=sshd.host_key) as through_ssh:
        yield through_ssh


def test_http_passes_with_an_expected_status_alone(dial: Dial) -> None:
    with web_server() as port:
        home = f"http://127.0.0.1:{port}"
        assert HttpProbe(dial, f"{home}/health?deep=1").ask() is None
        assert HttpProbe(dial, f"{home}/").ask() == "status 503"
        assert HttpProbe(dial, home, (200, 503)).ask() is None
    seen = HttpProbe(dial, home).ask()
    assert seen is not None
    assert str(port) in seen


@pytest.mark.parametrize(
    ("says", "seen"),
    [
        (b"220 mail.example ESMTP\r\n\r\n", "no answer: 220 mail.example"),
        (b"", "no answer within 0.5 s"),
        (b"HTTP/1.1 200 OK\r\n", "no answer within 0.5 s"),
        (b"HTTP/1.1 204 No Content\r\nSet-Cookie: a\r\n\r\n", None),
        (b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 50_000, "no answer: "),
    ],
    ids=["another protocol", "silence", "half an answer", "an answer", "an answer without end"],
)
def test_http_ends_whatever_is_said(
    says: bytes, seen: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probes, "ASK_SECONDS", 0.5)
    with talking_server(says) as port:
        answer = HttpProbe(dial_straight, f"http://127.0.0.1:{port}/").ask()
    assert answer is None if seen is None else (answer or "").startswith(seen)


@pytest.mark.parametrize(
    "url",
    ["https://a/", "ftp://a/", "/path", "http:///x", "http://a:x/", "http://a/ b", "http://a/\r\n"],
)
def test_an_address_that_is_none_is_no_probe(url: str) -> None:
    with pytest.raises(ValueError):
        HttpProbe(dial_straight, url)


def test_tcp_passes_when_somebody_listens(dial: Dial) -> None:
    with talking_server(b"") as port:
        assert TcpProbe(dial, "127.0.0.1", port).ask() is None
    assert str(port) in (TcpProbe(dial, "127.0.0.1", port).ask() or "")


def test_a_command_passes_with_status_0_and_says_what_it_said() -> None:
    with LocalShell() as shell:
        assert CommandProbe(shell, ["true"]).ask() is None
        seen = CommandProbe(shell, ["sh", "-c", "echo not $WELL; exit 3"], {"WELL": "yet"}).ask()
        assert seen == "status 3: not yet"
        missing = CommandProbe(shell, ["nothing-of-that-name"]).ask()
        assert (missing or "").startswith("status 127")


def test_a_command_that_hangs_has_not_passed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "ASK_SECONDS", 0.5)
    with LocalShell(kill_after_seconds=0.5) as shell:
        assert CommandProbe(shell, ["sleep", "60"]).ask() is not None


def test_a_container_passes_when_it_runs_and_is_not_ill(
    running_engine: RunningEngine, name: str
) -> None:
    docker = running_engine.docker
    build_image(running_engine, f"{name}:1", {**busybox_files(), "name": name})
    with DockerEngine(UnixWay(str(running_engine.socket))) as engine:
        probe = ContainerProbe(engine, name)
        assert probe.ask() == "there is none of that name"
        health = ["--health-cmd=test -e /well", "--health-interval=1s", "--health-retries=1"]
        docker("create", f"--name={name}", "--network=none", *health, f"{name}:1", "sleep", "600")
        assert probe.ask() == "created"
        docker("start", name)
        wait_until(lambda: probe.ask() == "unhealthy", seconds=20, what="ill health")
        docker("exec", name, "touch", "/well")
        wait_until(lambda: probe.ask() is None, seconds=20, what="health")
        docker("rm", "--force", name)
    running_engine.docker("rmi", f"{name}:1")


def test_an_engine_that_is_away_is_what_a_container_probe_saw() -> None:
    with DockerEngine(UnixWay("/nowhere/docker.sock")) as engine:
        assert "No Docker Engine answers" in (ContainerProbe(engine, "shop").ask() or "")


@dataclass
class Script:
    """A probe that says, one after the other, what it is given; the last of it for ever."""

    answers: list[str | None]
    name: str = "script"
    asked: int = field(default=0)

    def ask(self) -> str | None:
        self.asked += 1
        return self.answers[min(self.asked, len(self.answers)) - 1]


def ask_gate(
    *asked: Probe,
    passes: int = 3,
    limit: float = 5,
    pause: float = 0.01,
    tick: Callable[[], None] = lambda: None,
) -> None:
    gate(asked, passes_in_a_row=passes, limit_seconds=limit, pause_seconds=pause, tick=tick)


def test_the_gate_wants_all_of_them_so_often_in_a_row() -> None:
    slow = Script(["not yet", None, None, "again", None, None, None])
    steady = Script([None])
    ask_gate(slow, steady)
    assert (slow.asked, steady.asked) == (7, 7)


def test_the_gate_says_what_each_of_them_said_last() -> None:
    ill, well = Script(["status 500"], name="GET /"), Script([None], name="tcp")
    with pytest.raises(HealthFailed, match=r"not healthy in time: GET /: status 500\.$") as failed:
        ask_gate(ill, well, limit=0.2)
    assert failed.value.said == [("GET /", "status 500"), ("tcp", "passed")]
    assert ill.asked > 3


def test_two_probes_of_one_name_are_both_heard() -> None:
    with pytest.raises(HealthFailed):
        ask_gate(Script(["ill"]), Script([None]), limit=0.1)


def test_what_comes_too_late_to_be_steady_has_failed() -> None:
    with pytest.raises(HealthFailed, match=r"1 of 3 rounds passed in time"):
        ask_gate(Script([None]), limit=0.1, pause=1)


def test_a_tick_ends_the_gate_also_during_a_pause() -> None:
    class Cancelled(Exception):
        pass

    began = time.monotonic()

    def tick() -> None:
        if time.monotonic() - began > 1:
            raise Cancelled

    with pytest.raises(Cancelled):
        ask_gate(Script(["ill"]), limit=600, pause=300, tick=tick)
    assert time.monotonic() - began < 60


def test_a_real_service_that_starts_slowly_passes_in_the_end() -> None:
    port = free_port()
    server: list[socket.socket] = []
    later = threading.Timer(0.5, lambda: server.append(socket.create_server(("127.0.0.1", port))))
    later.start()
    ask_gate(TcpProbe(dial_straight, "127.0.0.1", port), limit=30, pause=0.1)
    server[0].close()
