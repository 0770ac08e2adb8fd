"""Both ways to a port of a device: straight, and through its SSH connection."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from devices.drivers.dial import Dial, dial_straight
from devices.drivers.ssh import SshAddress
from devices.drivers.ssh_dial import SshDial
from devices.drivers.ssh_login import KeyLogin
from devices.errors import DeviceUnreachable, HostKeyUnknown
from tests.drivers.sshd import RunningSshd, new_key, start_sshd
from tests.environment.ports import free_port
from tests.environment.waiting import wait_until

THREADS = 16


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


def test_what_goes_through_the_ssh_connection_survives_a_port_that_stays_silent(
    sshd: RunningSshd, listener: socket.socket
) -> None:
    with through(sshd) as dial, silent() as port:
        line = dial("127.0.0.1", port_of(listener), 5)
        accepted, _ = listener.accept()
        with accepted:
            with pytest.raises(DeviceUnreachable, match=f"port {port}: no answer in time"):
                dial("127.0.0.1", port, 1)
            accepted.sendall(b"still here")
            line.settimeout(5)
            assert line.recv(100) == b"still here"


@contextmanager
def silent() -> Iterator[int]:
    """The port of somebody who takes no more connections, and refuses none: frozen, with as many waiting as may."""
    with ExitStack() as stack:
        server = stack.enter_context(socket.socket())
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for _ in range(3):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            with suppress(BlockingIOError):
                waiting.connect(server.getsockname())
        yield port_of(server)


def test_threads_share_one_ssh_connection_which_ends_with_the_dial(
    tmp_path: Path, listener: socket.socket
) -> None:
    sshd = start_sshd(tmp_path / "own")
    try:
        dial = through(sshd)
        at_once(lambda: dial("127.0.0.1", port_of(listener), 5).close())
        assert len(sshd.connections()) == 1
        dial.close()
        wait_until(lambda: not sshd.connections(), seconds=10, what="the connection's end")
    finally:
        sshd.stop()


def test_threads_share_one_try_of_an_ssh_connection_that_fails(listener: socket.socket) -> None:
    """Each by itself they would wait for one another's time limits."""
    address = SshAddress("127.0.0.1", port_of(listener))
    login = KeyLogin(new_key()[0])
    with SshDial(address, login=login, host_key=new_key()[1], connect_seconds=1) as dial:
        began = time.monotonic()
        said = at_once(lambda: dial("127.0.0.1", 1, 5))
        assert time.monotonic() - began < 3
        assert [type(one) for one in said] == [DeviceUnreachable] * THREADS
        with pytest.raises(DeviceUnreachable):
            dial("127.0.0.1", 1, 5)


def at_once(deed: Callable[[], object]) -> list[BaseException | None]:
    """What each of the threads that all do it raised."""
    begin = threading.Barrier(THREADS)

    def one(_: int) -> None:
        begin.wait(10)
        deed()

    with ThreadPoolExecutor(THREADS) as pool:
        return [future.exception() for future in [pool.submit(one, n) for n in range(THREADS)]]


def test_an_unknown_host_name_is_named() -> None:
    with pytest.raises(DeviceUnreachable, match=r"nowhere\.invalid"):
        dial_straight("nowhere.invalid", 1, 5)


def test_nothing_goes_through_a_device_whose_host_key_is_unknown(sshd: RunningSshd) -> None:
    with through(sshd, host_key=None) as dial, pytest.raises(HostKeyUnknown):
        dial("127.0.0.1", sshd.port, 5)
