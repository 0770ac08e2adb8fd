"""Erlang nodes whose distribution goes over TLS."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

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


def leftovers() -> list[Path]:
    return list(Path(tempfile.gettempdir()).glob("fleetwright-erl-*"))


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
    before = leftovers()
    cookie = "another" if wrong == "cookie" else ""
    ours = certified() if wrong == "certificate" else certificate
    node = reached(secured, ours, cookie=cookie)
    report: NodeReport = node.inspect([])
    assert (report.is_reachable, report.reason) == (False, Trouble.REFUSED), report
    assert leftovers() == before


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


def test_secrets_are_in_no_argument_and_for_nobody_elses_eyes(
    secured: BeamUnderTest, certificate: Certified
) -> None:
    tls = BeamTls(certificate.authority, certificate.certificate, certificate.key)
    assert certificate.key not in repr(tls)
    before = leftovers()
    with over_tls(secured.node.address, cookie=secured.world.cookie, tls=tls)(10):
        (folder,) = set(leftovers()) - set(before)
        ours = [line for line in command_lines() if str(folder) in line]
        assert ours and not [line for line in ours if secured.world.cookie in line]
        assert folder.stat().st_mode & 0o077 == 0
        assert [path for path in folder.iterdir() if path.stat().st_mode & 0o077] == []
    assert not folder.exists()
    assert [line for line in command_lines() if str(folder) in line] == []


def command_lines() -> list[str]:
    lines = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            lines.append(place.read_text(errors="replace"))
    return lines
