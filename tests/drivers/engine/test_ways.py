"""Who is let in, and what is said when an engine cannot be reached."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from devices.drivers.docker_engine import DockerEngine
from devices.drivers.engine import EngineLimits
from devices.drivers.engine_ways import SshWay, TcpWay, TlsIdentity, UnixWay
from devices.drivers.ssh import SshAddress, SshLink
from devices.drivers.ssh_login import KeyLogin
from devices.errors import EngineUnreachable, HostKeyChanged, LoginRefused, UnsafeName
from tests.drivers.engine.engine_under_test import TLS_PORT, ssh_link
from tests.drivers.sshd import RunningSshd, new_key
from tests.environment.certificates import Certified, certified
from tests.environment.docker import DockerEngine as RunningEngine
from tests.environment.ports import free_port


def reached(way: UnixWay | TcpWay | SshWay, *, answer_seconds: float = 10) -> str:
    with DockerEngine(way, limits=EngineLimits(answer_seconds=answer_seconds)) as engine:
        return engine.version()


def test_an_engine_that_another_authority_vouches_for_is_not_asked(
    running_engine: RunningEngine, portal_certificates: Certified
) -> None:
    ours = portal_certificates
    identity = TlsIdentity(certified("other").authority, ours.certificate, ours.key)
    with pytest.raises(EngineUnreachable, match="its certificate is not accepted"):
        reached(TcpWay(running_engine.address, TLS_PORT, identity=identity))


def test_an_engine_does_not_let_in_whom_it_does_not_know(
    running_engine: RunningEngine, identity: TlsIdentity
) -> None:
    stranger = certified("portal")
    unknown = TlsIdentity(identity.authority, stranger.certificate, stranger.key)
    with pytest.raises(EngineUnreachable):
        reached(TcpWay(running_engine.address, TLS_PORT, identity=unknown))


def test_a_key_lies_in_no_file_afterwards(
    running_engine: RunningEngine,
    identity: TlsIdentity,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert reached(TcpWay(running_engine.address, TLS_PORT, identity=identity))
    assert list(tmp_path.iterdir()) == []
    assert identity.key not in repr(identity)


@pytest.mark.parametrize("spoiled", ["authority", "certificate", "key", "another key"])
def test_certificates_that_cannot_be_used_are_said_to_be(
    identity: TlsIdentity, spoiled: str
) -> None:
    texts = {
        "authority": identity.authority,
        "certificate": identity.certificate,
        "key": identity.key,
    }
    if spoiled == "another key":
        texts["key"] = certified().key
    else:
        texts[spoiled] = "not PEM"
    with pytest.raises(LoginRefused, match="cannot be used") as refused:
        TcpWay("localhost", TLS_PORT, identity=TlsIdentity(**texts))
    assert "PRIVATE KEY" not in str(refused.value)


def test_without_tls_only_this_machine_is_asked() -> None:
    with pytest.raises(EngineUnreachable, match="is not asked without TLS"):
        TcpWay("198.18.0.1", 2375, identity=None)
    for host in ("localhost", "127.0.0.1", "::1"):
        TcpWay(host, 2375, identity=None)


def test_nobody_there_is_said_with_the_place(tmp_path: Path, engine_sshd: RunningSshd) -> None:
    with pytest.raises(EngineUnreachable, match=f"answers at {tmp_path}/sock: No such file"):
        reached(UnixWay(f"{tmp_path}/sock"))
    with pytest.raises(EngineUnreachable, match=r"Nobody listens at 127\.0\.0\.1, port"):
        reached(TcpWay("127.0.0.1", free_port(), identity=None))
    with pytest.raises(EngineUnreachable, match=f"does not reach an engine: .*{tmp_path}/sock"):
        reached(SshWay(ssh_link(engine_sshd), socket_path=f"{tmp_path}/sock"))
    with pytest.raises(UnsafeName):
        UnixWay("../docker.sock")


def test_through_ssh_the_confirmed_host_key_counts(engine_sshd: RunningSshd) -> None:
    link = SshLink(
        SshAddress(engine_sshd.host, engine_sshd.port, engine_sshd.user),
        login=KeyLogin(engine_sshd.client_key_pem),
        host_key=new_key()[1],
        connect_seconds=10,
        silence_seconds=30,
    )
    with pytest.raises(HostKeyChanged):
        reached(SshWay(link))


@contextmanager
def odd_engine(path: Path, answer: Callable[[socket.socket], None]) -> Iterator[UnixWay]:
    """Something that listens where an engine should, and answers everybody as it is told."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()

    def serve() -> None:
        while True:
            try:
                line, _ = listener.accept()
            except OSError:
                return
            with line:
                line.recv(65536)
                try:
                    answer(line)
                except OSError:
                    continue

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    with listener:
        yield UnixWay(str(path))
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def _sent(data: bytes) -> Callable[[socket.socket], None]:
    return lambda line: line.sendall(data)


def _endless(line: socket.socket) -> None:
    line.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        line.sendall(b" " * 65536)


ODD = {
    "another protocol": _sent(b"220 mail.example ESMTP\r\n"),
    "no JSON": _sent(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabcd"),
    "a list": _sent(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]"),
    "no version": _sent(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"),
    "an odd version": _sent(b'HTTP/1.1 200 OK\r\n\r\n{"ApiVersion": "1/../../x"}'),
    "half an answer": _sent(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"),
    "circles": _sent(b"HTTP/1.1 302 Found\r\nLocation: /version\r\nContent-Length: 0\r\n\r\n"),
    "no end": _endless,
    "silence": lambda _: time.sleep(2),
}


@pytest.mark.parametrize("answer", ODD.values(), ids=ODD.keys())
def test_what_is_no_engine_is_unreachable(
    tmp_path: Path, answer: Callable[[socket.socket], None]
) -> None:
    with odd_engine(tmp_path / "sock", answer) as way, pytest.raises(EngineUnreachable):
        reached(way, answer_seconds=1.5 if answer is ODD["silence"] else 20)
