"""What only Erlang's code loading has: each way in which a module can be wrong, protected, late or stuck."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from devices.drivers.beam.terms import Atom
from devices.drivers.nodes import FileResult, PatchFile, Status, Trouble, Turn
from tests.drivers.nodes.beam_files import (
    for_a_newer_runtime,
    stripped,
    with_an_atom_table_as_of_otp_28,
    with_another_instruction_set,
)
from tests.drivers.nodes.beam_under_test import GREETING, SPARE, BeamUnderTest
from tests.environment.erlang import EBIN, Erlang

TURN = Turn(upgrade="one", fence=1)

ON_LOAD = """
-module(bay_greeting).
-export([answer/0]).
-on_load(begin_it/0).
begin_it() -> %s.
answer() -> ?V.
"""


def empty_module(name: str) -> str:
    return f"-module({name}).\n-export([answer/0]).\nanswer() -> ?V.\n"


def put(node: BeamUnderTest, *files: PatchFile) -> list[FileResult]:
    report = node.runtime().apply(files, turn=TURN)
    assert report.is_reachable, report
    return list(report.results)


def greeting(node: BeamUnderTest, change: Callable[[bytes], bytes], *, v: int = 2) -> PatchFile:
    return PatchFile(GREETING, change(node.world.compiled("bay_greeting", v=v)))


def with_on_load(node: BeamUnderTest, what: str, *, v: int = 2) -> PatchFile:
    return PatchFile(GREETING, node.world.compile(ON_LOAD % what, v=v))


@pytest.mark.parametrize(
    ("change", "status", "reason"),
    [
        (for_a_newer_runtime, Status.ERROR, "newer_runtime"),
        (with_another_instruction_set, Status.ERROR, "newer_runtime"),
        (with_an_atom_table_as_of_otp_28, Status.ERROR, "newer_runtime"),
        (lambda beam: beam[:-100], Status.NOT_BEAM, "not_a_module"),
        (lambda beam: beam[:11], Status.NOT_BEAM, "not_a_module"),
        (lambda beam: b"", Status.NOT_BEAM, "not_a_module"),
        (lambda beam: gzip.compress(beam)[:-20], Status.NOT_BEAM, "not_a_module"),
        (lambda beam: b"\x1f\x8b" + beam, Status.NOT_BEAM, "not_a_module"),
        (lambda beam: gzip.compress(bytes(65 * 2**20)), Status.ERROR, "too_large"),
        (gzip.compress, Status.OK, "loadable"),
        (stripped, Status.OK, "loadable"),
        (lambda beam: gzip.compress(stripped(beam)), Status.OK, "loadable"),
    ],
)
def test_a_module_is_judged_by_its_bytes(
    beam_node: BeamUnderTest, change: Callable[[bytes], bytes], status: Status, reason: str
) -> None:
    assert beam_node.answer() == 1
    patch = greeting(beam_node, change)
    (foretold,) = beam_node.runtime().check([patch]).results
    assert (foretold.status, foretold.reason) == (status, reason)
    (result,) = put(beam_node, patch)
    assert result.status is status
    assert beam_node.answer() == (2 if status is Status.OK else 1)
    written = (beam_node.root / GREETING).read_bytes() == patch.data
    assert written is result.is_written is (status is Status.OK)


@pytest.mark.parametrize("change", [gzip.compress, stripped])
def test_what_is_packed_or_stripped_is_the_same_code(
    beam_node: BeamUnderTest, change: Callable[[bytes], bytes]
) -> None:
    beam_node.answer()
    (result,) = put(beam_node, greeting(beam_node, change, v=1))
    assert (result.status, result.is_written) == (Status.NOT_CHANGED, True)


@pytest.mark.parametrize(
    ("module", "what"),
    [
        ("lists", "sticky and loaded"),
        ("dets", "in a sticky folder, not loaded"),
        ("erlang", "preloaded"),
        ("ssl", "of another application of Erlang/OTP"),
    ],
)
def test_system_libraries_are_refused(beam_node: BeamUnderTest, module: str, what: str) -> None:
    patch = PatchFile(f"{EBIN}/{module}.beam", beam_node.world.compile(empty_module(module)))
    if beam_node.node.call("code", "which", Atom(module)) == "non_existing":
        pytest.skip(f"{module} is not installed (Debian's package erlang-ssl)")
    (checked,) = beam_node.runtime().check([patch]).results
    assert (checked.status, checked.reason) == (Status.ERROR, "system_library"), what
    (result,) = put(beam_node, patch)
    assert (result.status, result.is_written) == (Status.ERROR, False)
    (loaded,) = beam_node.runtime().inspect([patch.path]).loaded
    assert loaded.is_system


def test_the_runtimes_own_folders_take_no_module(erlang: Erlang, tmp_path: Path) -> None:
    node = erlang.node("within", root=tmp_path / "root")
    node.start()
    stdlib = node.evaluate("list_to_binary(code:lib_dir(stdlib))")
    assert isinstance(stdlib, bytes)
    lib, name = stdlib.decode().rsplit("/", 1)
    within = node.runtime(root=lib)
    patch = PatchFile(f"{name}/ebin/bay_added.beam", erlang.compile(empty_module("bay_added")))
    (result,) = within.check([patch]).results
    assert (result.status, result.reason) == (Status.ERROR, "system_library")
    node.stop()


def test_a_module_under_another_name_is_in_the_wrong_place(beam_node: BeamUnderTest) -> None:
    patch = replace(beam_node.module(2), path=SPARE)
    (result,) = put(beam_node, patch)
    assert (result.status, result.reason) == (Status.WRONG_PATH, "name_mismatch")
    assert "bay_greeting" in result.detail


def test_a_new_module_in_a_folder_without_code_is_in_the_wrong_place(
    beam_node: BeamUnderTest,
) -> None:
    patch = replace(beam_node.new_module(), path="lib/bay-1.0.0/priv/bay_added.beam")
    (result,) = put(beam_node, patch)
    assert (result.status, result.reason) == (Status.WRONG_PATH, "not_on_code_path")


def test_one_bad_module_does_not_hold_up_the_others(beam_node: BeamUnderTest) -> None:
    beam_node.answer()
    beam_node.bump()
    counter = PatchFile(
        f"{EBIN}/bay_counter.beam",
        for_a_newer_runtime(beam_node.world.compiled("bay_counter", v=2)),
    )
    results = put(beam_node, counter, beam_node.module(2), beam_node.spare(2))
    assert [result.status for result in results] == [Status.ERROR, Status.OK, Status.NOT_LOADED]
    assert beam_node.answer() == 2
    assert beam_node.node.call("bay_counter", "step") == 1


def test_a_server_goes_on_with_its_state_in_new_code(beam_node: BeamUnderTest) -> None:
    beam_node.bump()
    server = beam_node.node.evaluate("whereis(bay_counter)")
    counter = PatchFile(f"{EBIN}/bay_counter.beam", beam_node.world.compiled("bay_counter", v=10))
    (result,) = put(beam_node, counter)
    assert (result.status, result.lingering) == (Status.OK, 0)
    assert beam_node.bump() == 11
    assert beam_node.node.evaluate("whereis(bay_counter)") == server


def test_code_that_runs_at_its_load_is_loaded(beam_node: BeamUnderTest) -> None:
    beam_node.answer()
    patch = with_on_load(beam_node, "ok")
    (foretold,) = beam_node.runtime().check([patch]).results
    assert foretold.status is Status.OK
    results = put(beam_node, beam_node.spare(2), patch)
    assert [result.status for result in results] == [Status.NOT_LOADED, Status.OK]
    assert beam_node.answer() == 2


def test_new_code_finds_the_new_files_of_what_it_calls(beam_node: BeamUnderTest) -> None:
    beam_node.answer()
    patch = with_on_load(beam_node, "begin 2 = bay_spare:answer(), 1 = bay_added:answer(), ok end")
    results = put(beam_node, patch, beam_node.spare(2), beam_node.new_module())
    assert [result.status for result in results] == [Status.OK] * 3
    assert [result.reason for result in results] == ["loaded"] * 3


def test_code_that_runs_at_its_load_and_needs_a_newer_runtime_is_refused(
    beam_node: BeamUnderTest,
) -> None:
    beam_node.answer()
    patch = with_on_load(beam_node, "ok")
    assert patch.data is not None
    (result,) = put(beam_node, replace(patch, data=for_a_newer_runtime(patch.data)))
    assert (result.status, result.reason) == (Status.ERROR, "newer_runtime")


@pytest.mark.parametrize("what", ["exit(no)", "error(no)", "{error, no}", "not_ok"])
def test_code_that_fails_at_its_load_says_so(beam_node: BeamUnderTest, what: str) -> None:
    beam_node.answer()
    (result,) = put(beam_node, with_on_load(beam_node, what))
    assert (result.status, result.reason) == (Status.NOT_UPDATED, "load_failed")
    assert (beam_node.answer(), result.is_written) == (1, False)


def test_code_that_hangs_at_its_load_is_given_up_and_can_be_patched_again(
    beam_node: BeamUnderTest,
) -> None:
    beam_node.answer()
    results = put(beam_node, with_on_load(beam_node, "timer:sleep(infinity)"), beam_node.spare(2))
    assert (results[0].status, results[0].reason) == (Status.NOT_UPDATED, "load_timed_out")
    assert (results[0].is_written, results[1].is_written) == (False, True)
    assert beam_node.answer() == 1
    (again,) = put(beam_node, beam_node.module(2))
    assert again.status is Status.OK
    assert beam_node.answer() == 2


def test_code_that_runs_at_its_load_waits_for_who_lingers(beam_node: BeamUnderTest) -> None:
    beam_node.answer()
    holder = beam_node.hold_older_code()
    (result,) = put(beam_node, with_on_load(beam_node, "ok", v=3))
    assert (result.status, result.is_written) == (Status.NOT_UPDATED, True)
    assert holder.is_alive()
    assert beam_node.answer() == 2


def test_a_node_that_ends_during_the_call_has_died(beam_node: BeamUnderTest) -> None:
    beam_node.answer()
    report = beam_node.runtime().apply([with_on_load(beam_node, "erlang:halt(3)")], turn=TURN)
    assert (report.is_reachable, report.reason) == (False, Trouble.DIED)
    # Nothing was renamed: it starts with what it had. What the dead node left beside goes with the next patch.
    beam_node.restart()
    assert beam_node.answer() == 1
    ebin = (beam_node.root / GREETING).parent
    assert len([path for path in ebin.iterdir() if "fleetwright" in path.name]) == 1
    assert put(beam_node, beam_node.module(2))[0].status is Status.OK
    assert [path for path in ebin.iterdir() if "fleetwright" in path.name] == []


def test_the_first_patch_tells_how_many_processes_are_left_behind(
    beam_node: BeamUnderTest,
) -> None:
    beam_node.node.call("bay_greeting", "linger_with", Atom("left"))
    (result,) = put(beam_node, beam_node.module(2))
    assert (result.status, result.lingering) == (Status.OK, 1)
    assert "1 process is" in result.detail
    (loaded,) = beam_node.runtime().inspect([GREETING]).loaded
    assert loaded.lingering == 1


def test_a_function_kept_from_older_code_holds_nothing_up(beam_node: BeamUnderTest) -> None:
    beam_node.node.evaluate("persistent_term:put(of_old, bay_greeting:fun_of_mine())")
    assert put(beam_node, beam_node.module(2))[0].status is Status.OK
    assert put(beam_node, beam_node.module(3))[0].status is Status.OK
    assert beam_node.answer() == 3


def test_a_module_that_is_removed_is_unloaded_and_gone(beam_node: BeamUnderTest) -> None:
    added = beam_node.new_module()
    put(beam_node, added)
    assert beam_node.node.call("bay_added", "answer") == 1
    (result,) = put(beam_node, replace(added, data=None))
    assert (result.status, result.reason, result.is_written) == (Status.OK, "removed", True)
    assert not (beam_node.root / added.path).exists()
    assert beam_node.node.call("code", "is_loaded", Atom("bay_added")) == "false"


def test_a_module_that_is_removed_while_it_is_used_needs_a_restart(
    beam_node: BeamUnderTest,
) -> None:
    beam_node.node.call("bay_greeting", "linger_with", Atom("uses_it"))
    (result,) = put(beam_node, PatchFile(GREETING, None))
    assert (result.status, result.is_written) == (Status.NOT_UPDATED, True)
    assert result.lingering == 1
    assert not (beam_node.root / GREETING).exists()
    assert beam_node.node.evaluate("is_process_alive(whereis(uses_it))") == "true"
