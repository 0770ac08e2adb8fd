"""Where an Erlang node has its code from: links, shared folders, modes, and the application that it runs."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from devices.drivers.beam.address import AddressRefused, BeamAddress
from devices.drivers.beam.node import BeamNode, over_distribution
from devices.drivers.nodes import NodeReport, PatchFile, Status, Turn
from tests.drivers.nodes.beam_under_test import GREETING, LIMITS, SPARE, BeamUnderTest
from tests.environment.erlang import Erlang, ErlangNode
from tests.environment.programs import need_root, program

TURN = Turn(upgrade="one", fence=1)
LOADED = "[code:load_file(Module) || Module <- [bay_app, bay_counter, bay_greeting]]."


@pytest.fixture
def linked(erlang: Erlang, tmp_path: Path) -> Iterator[BeamUnderTest]:
    """A node that knows its folder by the link `current`."""
    erlang.install(tmp_path / "release1")
    erlang.install(tmp_path / "release2")
    (tmp_path / "current").symlink_to("release1")
    node = erlang.node("linked", root=tmp_path / "release1", run_from=tmp_path / "current")
    node.start()
    yield BeamUnderTest(erlang, node)
    node.stop()


def test_a_root_that_is_a_link_is_the_folder_that_it_leads_to(linked: BeamUnderTest) -> None:
    linked.answer()
    for root in (linked.root.parent / "current", linked.root):
        node = linked.node.runtime(root=f"{root}/")
        report = node.inspect([GREETING, SPARE])
        assert report.module_count == 4
        assert report.loaded[0].version == report.loaded[0].disk_version != ""
        assert node.check([linked.module(2), linked.spare(2)]).status is Status.OK
    report = linked.runtime().apply([linked.module(2)], turn=TURN)
    assert report.status is Status.OK
    assert (linked.root / GREETING).read_bytes() == linked.module(2).data


def test_a_link_that_leads_elsewhere_by_now_is_not_patched_into(linked: BeamUnderTest) -> None:
    linked.answer()
    release1, release2 = linked.root, linked.root.with_name("release2")
    shutil.rmtree(release1 / "lib")
    current = linked.root.parent / "current"
    current.unlink()
    current.symlink_to("release2")
    (release2 / "lib" / "bay-1.0.0").rename(release2 / "lib" / "bay-2.0.0")
    path = GREETING.replace("bay-1.0.0", "bay-2.0.0")
    report = linked.runtime().check([replace(linked.module(2), path=path)])
    assert report.status is Status.WRONG_PATH


def test_nodes_that_share_a_folder_are_patched_at_once(erlang: Erlang, tmp_path: Path) -> None:
    nodes = [erlang.node(f"shared{number}", root=tmp_path / "root") for number in range(3)]
    erlang.start(*nodes)
    assert [node.call("bay_greeting", "answer") for node in nodes] == [1] * 3
    patch = BeamUnderTest(erlang, nodes[0]).module(2)
    reports: list[NodeReport] = []

    def put(node: ErlangNode) -> None:
        reports.append(node.runtime(limits=LIMITS).apply([patch], turn=TURN))

    threads = [threading.Thread(target=put, args=[node]) for node in nodes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [report.status for report in reports] == [Status.OK] * 3, reports
    assert [node.call("bay_greeting", "answer") for node in nodes] == [2] * 3
    ebin = tmp_path / "root" / Path(GREETING).parent
    assert [path.name for path in ebin.iterdir() if "fleetwright" in path.name] == []
    for node in nodes:
        node.stop()


def test_of_a_release_the_system_is_patched_and_the_runtime_is_not(
    erlang: Erlang, tmp_path: Path
) -> None:
    """The libraries of both lie beside each other there."""
    node = erlang.node("release", root=tmp_path / "root", release=True)
    node.start()
    assert node.evaluate("list_to_binary(code:lib_dir())") == str(tmp_path / "root/lib").encode()
    under_test = BeamUnderTest(erlang, node)
    under_test.answer()
    assert under_test.runtime().inspect([]).module_count == 4
    (dets,) = (tmp_path / "root" / "lib").glob("stdlib-*/ebin/dets.beam")
    own = str(dets.relative_to(tmp_path / "root"))
    dets_changed = PatchFile(own, erlang.compile("-module(dets).\n-export([a/0]).\na() -> 1.\n"))
    before = dets.read_bytes()
    report = under_test.runtime().apply([dets_changed, under_test.module(2)], turn=TURN)
    assert [result.status for result in report.results] == [Status.ERROR, Status.OK]
    assert report.results[0].reason == "system_library"
    assert dets.read_bytes() == before
    assert under_test.answer() == 2
    node.stop()


def test_a_node_that_loads_nothing_by_itself_is_told(erlang: Erlang, tmp_path: Path) -> None:
    node = erlang.node(
        "embedded", root=tmp_path / "root", options=("-mode", "embedded", "-eval", LOADED)
    )
    node.start()
    under_test = BeamUnderTest(erlang, node)
    report = under_test.runtime().apply([under_test.spare(2)], turn=TURN)
    (result,) = report.results
    assert (result.status, result.is_written) == (Status.NOT_LOADED, True)
    assert "next start" in result.detail
    node.stop()


def test_a_node_without_one_of_the_modules_takes_it_as_new(erlang: Erlang, tmp_path: Path) -> None:
    node = erlang.node("lacking", root=tmp_path / "root", without=("bay_spare",))
    node.start()
    under_test = BeamUnderTest(erlang, node)
    under_test.answer()
    report = under_test.runtime().apply([under_test.module(2), under_test.spare(2)], turn=TURN)
    assert [result.status for result in report.results] == [Status.OK, Status.NOT_LOADED]
    node.stop()


def test_a_read_only_file_in_a_folder_of_ours_is_replaced(beam_node: BeamUnderTest) -> None:
    beam_node.answer()
    (beam_node.root / GREETING).chmod(0o444)
    report = beam_node.runtime().apply([beam_node.module(2)], turn=TURN)
    assert report.status is Status.OK


def test_a_folder_where_a_file_should_be_is_an_error(beam_node: BeamUnderTest) -> None:
    patch = beam_node.assembly(b"x")
    (beam_node.root / patch.path).mkdir(parents=True)
    (result,) = beam_node.runtime().apply([patch], turn=TURN).results
    assert (result.status, result.reason) == (Status.ERROR, "not_a_file")


def test_the_version_is_that_of_the_application(beam_node: BeamUnderTest) -> None:
    assert beam_node.runtime().inspect([]).version == "1.0.0"
    for application in ("", "nobody_has_heard_of_it", "stdlib_of_another_world"):
        place = beam_node.node.address
        address = BeamAddress(
            place.node, place.host, place.epmd_port, root=place.root, application=application
        )
        node = BeamNode(
            address, connector=over_distribution(address, cookie=beam_node.world.cookie)
        )
        report = node.inspect([])
        assert (report.is_reachable, report.version) == (True, "")
        assert report.runtime.startswith("Erlang/OTP ")


@pytest.mark.parametrize(
    ("node", "root", "application"),
    [
        ("nobody", "/opt", ""),
        ("a b@host", "/opt", ""),
        ("a@", "/opt", ""),
        ("a@host", "opt", ""),
        ("a@host", "/o\0pt", ""),
        ("a@host", "/opt", "Bay"),
        ("a@host", "/opt", "bay; halt()"),
    ],
)
def test_an_address_that_is_none_is_refused(node: str, root: str, application: str) -> None:
    with pytest.raises(AddressRefused):
        BeamAddress(node, root=root, application=application)


def test_a_file_that_cannot_be_replaced_brings_the_old_code_back(beam_node: BeamUnderTest) -> None:
    """The new file can be written beside it, and only the last step fails."""
    beam_node.answer()
    need_root("an immutable file")
    chattr, target = program("chattr", package="e2fsprogs"), str(beam_node.root / GREETING)
    if subprocess.run([chattr, "+i", target], capture_output=True, check=False).returncode:
        pytest.skip("the file system knows no immutable files")
    try:
        report = beam_node.runtime().apply([beam_node.module(2), beam_node.spare(2)], turn=TURN)
    finally:
        subprocess.run([chattr, "-i", target], check=True)
    failed, other = report.results
    assert (failed.status, failed.reason, failed.is_written) == (
        Status.ERROR,
        "write_failed",
        False,
    )
    assert (other.status, other.is_written) == (Status.NOT_LOADED, True)
    assert failed.before == failed.after
    assert beam_node.answer() == 1
    (loaded,) = beam_node.runtime().inspect([GREETING]).loaded
    assert loaded.version == loaded.disk_version
