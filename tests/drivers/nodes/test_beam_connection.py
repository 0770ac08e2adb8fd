"""The way to an Erlang node: everything that can be wrong on it, told apart and in time."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from devices.drivers.beam.address import BeamAddress
from devices.drivers.beam.agent import MODULE
from devices.drivers.beam.node import BeamNode, Limits, over_distribution
from devices.drivers.beam.terms import Atom
from devices.drivers.beam.trouble import NodeTroubled
from devices.drivers.nodes import NodeReport, PatchFile, Status, Trouble, Turn
from devices.drivers.ssh import SshAddress
from devices.drivers.ssh_dial import SshDial
from devices.drivers.ssh_login import KeyLogin
from tests.drivers.nodes.beam_under_test import LIMITS, BeamUnderTest
from tests.drivers.sshd import RunningSshd
from tests.environment.erlang import Erlang
from tests.environment.ports import free_port
from tests.environment.waiting import wait_until

TURN = Turn(upgrade="one", fence=1)


@pytest.fixture(scope="module")
def one(erlang: Erlang, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BeamUnderTest]:
    """A node that these tests only ask."""
    node = erlang.node("asked", root=tmp_path_factory.mktemp("asked") / "root")
    node.start()
    yield BeamUnderTest(erlang, node)
    node.stop()


def asked(address: BeamAddress, *, cookie: str = "cookie", limits: Limits = LIMITS) -> NodeReport:
    connector = over_distribution(address, cookie=cookie)
    return BeamNode(address, connector=connector, limits=limits).inspect([])


def test_a_name_that_epmd_does_not_know_is_unreachable(one: BeamUnderTest) -> None:
    report = asked(replace(one.node.address, node="nobody@localhost"))
    assert report.reason is Trouble.UNREACHABLE
    assert "nobody" in report.detail


def test_a_host_without_epmd_is_unreachable(one: BeamUnderTest) -> None:
    report = asked(replace(one.node.address, epmd_port=free_port()))
    assert report.reason is Trouble.UNREACHABLE
    assert "epmd" in report.detail


def test_a_host_that_has_no_address_is_unreachable() -> None:
    report = asked(BeamAddress("bay@nowhere.invalid"))
    assert report.reason is Trouble.UNREACHABLE
    assert "nowhere.invalid" in report.detail


def test_another_node_under_the_same_name_is_not_taken_for_ours(one: BeamUnderTest) -> None:
    elsewhere = one.node.name.replace("@localhost", "@elsewhere")
    report = asked(replace(one.node.address, node=elsewhere), cookie=one.world.cookie)
    assert report.reason is Trouble.UNREACHABLE
    assert one.node.name in report.detail


def test_the_cookie_is_in_nothing_that_is_said(one: BeamUnderTest) -> None:
    report = asked(one.node.address, cookie="our secret cookie")
    assert report.reason is Trouble.REFUSED
    assert "secret" not in repr(report)
    assert "secret" not in one.node.log()


class FalseNode:
    """Listens as epmd and as a node, and says what it is told to."""

    def __init__(self, *, as_node: bytes, then_close: bool) -> None:
        self._as_node = as_node
        self._then_close = then_close
        self._held: list[socket.socket] = []
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.server.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                accepted, _ = self.server.accept()
            except OSError:
                return
            self._held.append(accepted)
            if accepted.recv(3)[2:] == b"\x7a":
                accepted.sendall(bytes([119, 0]) + self.port.to_bytes(2))
                continue
            accepted.sendall(self._as_node)
            if self._then_close:
                accepted.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.server.close()
        for held in self._held:
            held.close()


@pytest.mark.parametrize(
    ("says", "closes", "reason"),
    [
        (b"", True, Trouble.REFUSED),
        (b"", False, Trouble.TIMED_OUT),
        (b"\0\3sok", False, Trouble.TIMED_OUT),
        (b"\0\3sok", True, Trouble.REFUSED),
        (b"\0\4snok", False, Trouble.REFUSED),
        (b"\0\x0csnot_allowed", False, Trouble.REFUSED),
        (b"HTTP/1.1 400 Bad Request\r\n" * 1000, False, Trouble.PROTOCOL),
        (b"\0\3sok\0\2N\0", False, Trouble.PROTOCOL),
        (b"\0\3sok\0\x16N" + bytes(16) + b"\0\3a@b", False, Trouble.UNREACHABLE),
        (b"\0\3sok\0\x1fN" + bytes(16) + b"\0\x0cfalse@localh", False, Trouble.UNREACHABLE),
        (
            b"\0\3sok\0\x22N" + bytes(16) + b"\0\x0ffalse@localhost" + b"\0\x11a" + bytes(16),
            False,
            Trouble.REFUSED,
        ),
    ],
)
def test_what_only_pretends_to_be_a_node_is_told_apart(
    says: bytes, closes: bool, reason: Trouble
) -> None:
    false = FalseNode(as_node=says, then_close=closes)
    began = time.monotonic()
    address = BeamAddress("false@localhost", host="127.0.0.1", epmd_port=false.port)
    report = asked(address, limits=Limits(connect=0.5))
    false.close()
    assert report.reason is reason, report
    assert time.monotonic() - began < 5


def test_a_connection_that_is_silent_for_long_is_kept_by_ticks(
    erlang: Erlang, tmp_path: Path
) -> None:
    options = ("-kernel", "net_ticktime", "1")
    node = erlang.node("ticking", root=tmp_path / "root", options=options)
    node.start()
    with node.connected() as calls:
        assert calls.call("timer", "sleep", arguments=[3000], seconds=10) == "ok"
    node.stop()


def test_a_call_that_takes_too_long_is_given_up_and_its_answer_dropped(
    one: BeamUnderTest,
) -> None:
    with one.node.connected() as calls:
        with pytest.raises(NodeTroubled) as given_up:
            calls.call("timer", "sleep", arguments=[600], seconds=0.2)
        assert given_up.value.reason is Trouble.TIMED_OUT
        assert calls.call("erlang", "abs", arguments=[-7], seconds=5) == 7
        assert calls.call("timer", "sleep", arguments=[700], seconds=5) == "ok"


def test_a_call_that_raises_is_told(one: BeamUnderTest) -> None:
    with one.node.connected() as calls, pytest.raises(NodeTroubled) as raised:
        calls.call("erlang", "error", arguments=[Atom("on_purpose")], seconds=5)
    assert raised.value.reason is Trouble.PROTOCOL
    assert "on_purpose" in str(raised.value)


def test_large_files_go_there_and_back(beam_node: BeamUnderTest) -> None:
    data = bytes(range(256)) * 4096 * 10
    patch = beam_node.assembly(data)
    report = beam_node.runtime().apply([patch], turn=TURN)
    assert report.results[0].is_written
    (kept,) = beam_node.runtime().keep([patch.path]).files
    assert kept.data == data


def test_a_node_is_patched_through_its_devices_ssh(
    beam_node: BeamUnderTest, sshd: RunningSshd
) -> None:
    beam_node.answer()
    place = SshAddress(sshd.host, sshd.port, sshd.user)
    login = KeyLogin(sshd.client_key_pem)
    with SshDial(place, login=login, host_key=sshd.host_key) as dial:
        address, cookie = beam_node.node.address, beam_node.world.cookie
        node = BeamNode(address, connector=over_distribution(address, cookie=cookie, dial=dial))
        assert node.check([beam_node.module(2)]).status is Status.OK
        assert node.apply([beam_node.module(2)], turn=TURN).status is Status.OK
        assert len(sshd.connections()) >= 1
    assert beam_node.answer() == 2


def test_a_device_that_ssh_cannot_reach_is_an_answer_too(
    one: BeamUnderTest, sshd: RunningSshd
) -> None:
    away = sshd.elsewhere()
    login = KeyLogin(sshd.client_key_pem)
    place = SshAddress(away.host, away.port, away.user)
    with SshDial(place, login=login, host_key=sshd.host_key) as dial:
        address = one.node.address
        node = BeamNode(address, connector=over_distribution(address, cookie="x", dial=dial))
        assert node.inspect([]).reason is Trouble.UNREACHABLE


def test_the_portals_module_is_brought_once_and_when_it_is_another(
    beam_node: BeamUnderTest,
) -> None:
    runtime = beam_node.runtime()
    assert runtime.inspect([]).is_reachable
    loaded = beam_node.node.call("code", "is_loaded", Atom(MODULE))
    assert runtime.inspect([]).is_reachable
    older = beam_node.world.compile(
        f'-module({MODULE}).\n-export([version/0]).\nversion() -> <<"older">>.\n'
    )
    row = (Atom(MODULE), [*b"older.beam"], older)
    beam_node.node.call("code", "purge", Atom(MODULE))
    assert beam_node.node.call("code", "atomic_load", [row]) == "ok"
    assert beam_node.node.call(MODULE, "version") == b"older"
    assert runtime.inspect([]).is_reachable
    assert beam_node.node.call("code", "is_loaded", Atom(MODULE)) == loaded


def test_many_who_come_first_at_once_are_all_answered(beam_node: BeamUnderTest) -> None:
    reports: list[NodeReport] = []
    threads = [
        threading.Thread(target=lambda: reports.append(beam_node.runtime().inspect([])))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [report.is_reachable for report in reports] == [True] * 8, reports


@pytest.mark.parametrize("stuck", ["file_server_2", "code_server"])
def test_a_node_whose_disk_or_loader_hangs_is_told_within_its_limit(
    beam_node: BeamUnderTest, stuck: str
) -> None:
    beam_node.answer()
    assert beam_node.runtime().inspect([]).is_reachable
    limits = replace(LIMITS, check=1, apply=1)
    runtime = beam_node.node.runtime(limits=limits)
    beam_node.node.call("sys", "suspend", Atom(stuck))
    began = time.monotonic()
    reports = [
        runtime.check([beam_node.module(2)]),
        runtime.apply([beam_node.module(2)], turn=TURN),
    ]
    assert [report.reason for report in reports] == [Trouble.TIMED_OUT] * 2, reports
    assert "did not finish" in reports[0].detail
    assert time.monotonic() - began < 8
    beam_node.node.call("sys", "resume", Atom(stuck))
    assert beam_node.answer() == 1
    assert beam_node.runtime().apply([beam_node.module(2)], turn=TURN).status is Status.OK


def test_an_apply_waits_for_another_and_gives_up_in_time(beam_node: BeamUnderTest) -> None:
    """The other one may be of a worker that has died, or of another patch."""
    beam_node.answer()
    runtime = beam_node.node.runtime(limits=replace(LIMITS, apply=2))
    hold = "register(fleetwright_hot_patch_apply, spawn(fun() -> receive leave -> ok end end))"
    beam_node.node.evaluate(hold)
    report = runtime.apply([beam_node.module(2)], turn=TURN)
    assert (report.is_reachable, report.reason) == (False, Trouble.TIMED_OUT)
    assert beam_node.answer() == 1
    beam_node.node.evaluate("fleetwright_hot_patch_apply ! leave")
    assert runtime.apply([beam_node.module(2)], turn=TURN).status is Status.OK


def test_a_newer_holder_takes_the_turn_of_one_that_waits(beam_node: BeamUnderTest) -> None:
    beam_node.answer()
    hold = "register(fleetwright_hot_patch_apply, spawn(fun() -> receive leave -> ok end end))"
    reports: list[NodeReport] = []

    def put(fence: int) -> None:
        turn = Turn(upgrade="contested", fence=fence)
        reports.append(beam_node.runtime().apply([beam_node.module(fence)], turn=turn))

    def is_seen(fence: int) -> bool:
        fences = beam_node.node.call(
            "application", "get_env", Atom(MODULE), Atom("fences"), Atom("none")
        )
        return isinstance(fences, dict) and fences.get(b"contested") == fence

    beam_node.node.evaluate(hold)
    threads = []
    for fence in (2, 3):
        threads.append(threading.Thread(target=put, args=[fence]))
        threads[-1].start()
        wait_until(partial(is_seen, fence), seconds=5, what="the fence")
    beam_node.node.evaluate("fleetwright_hot_patch_apply ! leave")
    for thread in threads:
        thread.join()
    by_reason = {report.reason: report for report in reports}
    assert set(by_reason) == {None, Trouble.STALE}
    assert beam_node.answer() == 3


def test_a_healthy_node_beside_troubled_ones_is_not_kept_waiting(
    beam_node: BeamUnderTest, erlang: Erlang, tmp_path: Path
) -> None:
    frozen = erlang.node("frozen", root=tmp_path / "frozen")
    frozen.start()
    frozen.freeze()
    healthy = beam_node.runtime().check([beam_node.spare(2)])
    assert (healthy.is_reachable, healthy.status) == (True, Status.NOT_LOADED)
    report = frozen.runtime(limits=LIMITS).check([PatchFile("x", b"")])
    assert report.reason is Trouble.TIMED_OUT
    assert report.millis < 1000 * (LIMITS.connect + 1)
    frozen.stop()
