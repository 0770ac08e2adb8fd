"""Both ways to a port of a device: straight, and through its SSH connection."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from devices.drivers.dial import Dial, dial_straight
from devices.drivers.ssh import SshAddress
from devices.drivers.ssh_dial import SshDial
from devices.drivers.ssh_login import KeyLogin
from devices.errors import DeviceUnreachable, HostKeyUnknown
from tests.drivers.sshd import RunningSshd
from tests.environment.ports import free_port


@pytest.fixture(params=["straight", "ssh"])
def dial(request: pytest.FixtureRequest) -> Iterator[Dial]:
    if request.param == "straight":
        yield dial_straight
        return
    sshd: RunningSshd = request.getfixturevalue("sshd")
    with through(sshd) as dial:
        yield dial


def through(sshd: RunningSshd, *, host_key: str | None = "") -> SshDial:
    pinned = sshd.host_key if host_key == "" else host_key
    address = SshAddress(sshd.host, sshd.port, sshd.user)
    return SshDial(address, login=KeyLogin(sshd.client_key_pem), host_key=pinned)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def port_of(server: socket.socket) -> int:
    port: int = server.getsockname()[1]
    return port


def test_bytes_go_there_and_back(dial: Dial, listener: socket.socket) -> None:
    def echo() -> None:
        accepted, _ = listener.accept()
        with accepted:
            accepted.sendall(accepted.recv(100).upper())

    threading.Thread(target=echo, daemon=True).start()
    line = dial("127.0.0.1", port_of(listener), 5)
    line.settimeout(5)
    line.sendall(b"hello")
    assert line.recv(100) == b"HELLO"
    assert line.recv(100) == b""
    line.close()


def test_a_silent_end_is_a_timeout(dial: Dial, listener: socket.socket) -> None:
    line = dial("127.0.0.1", port_of(listener), 5)
    line.settimeout(0.2)
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        line.recv(1)
    assert time.monotonic() - began < 5
    line.close()


def test_a_port_where_nobody_listens_is_unreachable(dial: Dial) -> None:
    with pytest.raises(DeviceUnreachable):
        dial("127.0.0.1", free_port(), 5)


def test_the_ssh_connection_survives_a_port_where_nobody_listens(
    sshd: RunningSshd, listener: socket.socket
) -> None:
    with through(sshd) as dial:
        with pytest.raises(DeviceUnreachable):
            dial("127.0.0.1", free_port(), 5)
        before = sshd.connections()  # among them perhaps one of an earlier test, on its way out
        dial("127.0.0.1", port_of(listener), 5).close()
        now = sshd.connections()
        assert now and set(now) <= set(before)


def test_an_unknown_host_name_is_named() -> None:
    with pytest.raises(DeviceUnreachable, match=r"nowhere\.invalid"):
        dial_straight("nowhere.invalid", 1, 5)


def test_nothing_goes_through_a_device_whose_host_key_is_unknown(sshd: RunningSshd) -> None:
    with through(sshd, host_key=None) as dial, pytest.raises(HostKeyUnknown):
        dial("127.0.0.1", sshd.port, 5)
