"""Erlang nodes whose distribution goes over TLS."""

from __future__ import annotations

import contextlib
import socket
import struct
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from devices.drivers.beam.address import BeamAddress
from devices.drivers.beam.node import BeamNode, Limits
from devices.drivers.beam.tls import BeamTls, over_tls
from devices.drivers.nodes import NodeReport, Status, Trouble, Turn
from tests.drivers.nodes.beam_under_test import GREETING, BeamUnderTest
from tests.environment.certificates import Certified, certified
from tests.environment.erlang import Erlang
from tests.environment.waiting import wait_until

TURN = Turn(upgrade="one", fence=1)
LIMITS = Limits(connect=10, inspect=5, check=5, apply=10, on_load=1)
OPTIONS = (
    '[{{server, [{{certfile, "{0}/cert.pem"}}, {{keyfile, "{0}/key.pem"}}, {{cacertfile, "{0}/ca.pem"}}, \
{{verify, verify_peer}}, {{fail_if_no_peer_cert, true}}]}}].\n'
)


@pytest.fixture(scope="module")
def certificate() -> Certified:
    return certified()


@pytest.fixture(scope="module")
def secured(
    erlang: Erlang, certificate: Certified, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[BeamUnderTest]:
    folder = tmp_path_factory.mktemp("tls")
    (folder / "cert.pem").write_text(certificate.certificate)
    (folder / "key.pem").write_text(certificate.key)
    (folder / "ca.pem").write_text(certificate.authority)
    (folder / "options").write_text(OPTIONS.format(folder))
    options = ("-proto_dist", "inet_tls", "-ssl_dist_optfile", str(folder / "options"))
    node = erlang.node("secured", root=folder / "root", options=options)
    node.launch()
    under_test = BeamUnderTest(erlang, node)
    wait_until(
        lambda: reached(under_test, certificate).inspect([]).version == "1.0.0",
        seconds=30,
        what="the node that speaks TLS",
    )
    yield under_test
    node.kill()


def reached(
    node: BeamUnderTest, certificate: Certified, *, cookie: str = "", limits: Limits = LIMITS
) -> BeamNode:
    address = node.node.address
    tls = BeamTls(certificate.authority, certificate.certificate, certificate.key)
    connector = over_tls(address, cookie=cookie or node.world.cookie, tls=tls)
    return BeamNode(address, connector=connector, limits=limits)


def test_a_node_that_speaks_tls_is_patched_and_brought_back(
    secured: BeamUnderTest, certificate: Certified
) -> None:
    node = reached(secured, certificate)
    (kept,) = node.keep([GREETING]).files
    assert node.check([secured.module(2)]).status is Status.NOT_LOADED
    assert node.apply([secured.module(2)], turn=TURN).results[0].is_written
    assert (secured.root / GREETING).read_bytes() == secured.module(2).data
    assert node.apply([kept.back()], turn=TURN).results[0].is_written
    assert (secured.root / GREETING).read_bytes() == kept.data


def test_what_is_not_encrypted_does_not_get_in(secured: BeamUnderTest) -> None:
    report = secured.node.runtime(limits=Limits(connect=3)).inspect([])
    assert not report.is_reachable
    assert report.reason in {Trouble.REFUSED, Trouble.PROTOCOL}


@pytest.mark.parametrize("wrong", ["cookie", "certificate"])
def test_a_wrong_secret_is_refused(
    secured: BeamUnderTest, certificate: Certified, wrong: str
) -> None:
    cookie = "another" if wrong == "cookie" else ""
    ours = certified() if wrong == "certificate" else certificate
    node = reached(secured, ours, cookie=cookie)
    report: NodeReport = node.inspect([])
    assert (report.is_reachable, report.reason) == (False, Trouble.REFUSED), report


def test_a_name_that_epmd_does_not_know_is_unreachable(
    secured: BeamUnderTest, certificate: Certified
) -> None:
    address = replace(secured.node.address, node="nobody@localhost")
    tls = BeamTls(certificate.authority, certificate.certificate, certificate.key)
    node = BeamNode(address, connector=over_tls(address, cookie="x", tls=tls))
    assert node.inspect([]).reason is Trouble.UNREACHABLE


def test_a_frozen_node_is_told_within_its_limit(
    secured: BeamUnderTest, certificate: Certified
) -> None:
    secured.node.freeze()
    try:
        began = time.monotonic()
        report = reached(secured, certificate, limits=Limits(connect=2)).inspect([])
        took = time.monotonic() - began
    finally:
        secured.node.go_on()
    assert (report.is_reachable, report.reason) == (False, Trouble.TIMED_OUT)
    assert took < 8


def test_secrets_are_in_no_argument_and_in_no_file(
    secured: BeamUnderTest, certificate: Certified
) -> None:
    """So nothing is left of them where the worker is killed meanwhile."""
    tls = BeamTls(certificate.authority, certificate.certificate, certificate.key)
    assert certificate.key not in repr(tls)
    files, others = files_of_erl(), clients()
    with over_tls(secured.node.address, cookie=secured.world.cookie, tls=tls)(10):
        ours = clients() - others
        assert ours
        told = [(process / name).read_text() for process in ours for name in ("cmdline", "environ")]
        assert not [text for text in told if secured.world.cookie in text or "PRIVATE" in text]
        assert files_of_erl() == files
    assert not clients() & ours


def files_of_erl() -> list[Path]:
    """Where it would have had them, and where it would look for a cookie."""
    return [*Path(tempfile.gettempdir()).glob("fleetwright-erl*"), *Path("/nonexistent").rglob("*")]


def clients() -> set[Path]:
    """The processes that connect for a portal."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if "net_kernel:connect_node" in (process / "cmdline").read_text(errors="replace"):
                found.add(process)
    return found


def test_a_host_that_has_only_an_address_of_another_kind_is_named(
    certificate: Certified,
) -> None:
    """Its port mapper answers, and somebody listens."""
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as server:
        port = server.getsockname()[1]
        threading.Thread(target=map_ports, args=(server, port), daemon=True).start()
        address = BeamAddress("bay@six.example", host="::1", epmd_port=port)
        tls = BeamTls(certificate.authority, certificate.certificate, certificate.key)
        report = BeamNode(address, connector=over_tls(address, cookie="x", tls=tls)).inspect([])
    assert report.reason is Trouble.UNREACHABLE
    assert "No IPv4 address of ::1 is found" in report.detail


def map_ports(server: socket.socket, port: int) -> None:
    """One question is answered (erts, "Distribution Protocol": PORT2_RESP): every node listens at `port`."""
    line, _ = server.accept()
    with line:
        line.recv(100)
        line.sendall(struct.pack(">BBHBBHHH", 119, 0, port, 77, 0, 6, 5, 0) + bytes(2))


def test_an_erlang_that_is_not_installed_is_named(
    secured: BeamUnderTest, certificate: Certified, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    report = reached(secured, certificate).inspect([])
    assert (report.reason, "not installed" in report.detail) == (Trouble.UNREACHABLE, True)


def test_an_authority_that_is_no_certificate_is_named(
    secured: BeamUnderTest, certificate: Certified
) -> None:
    report = reached(secured, replace(certificate, authority="none")).inspect([])
    assert (report.reason, "no certificate" in report.detail) == (Trouble.REFUSED, True)
