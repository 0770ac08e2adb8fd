"""What holds for every way into a running process: the promises of NodeRuntime, each as a test."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from devices.drivers.nodes import (
    FileResult,
    Kept,
    NodeReport,
    NodeRuntime,
    PatchFile,
    Status,
    Trouble,
    Turn,
)
from tests.drivers.nodes.node_under_test import NodeUnderTest

TURN = Turn(upgrade="one", fence=1)


def only(report: NodeReport) -> FileResult:
    assert report.is_reachable, report
    (result,) = report.results
    assert result.detail
    return result


def applied(node: NodeUnderTest, *files: PatchFile, turn: Turn = TURN) -> NodeReport:
    report = node.runtime().apply(files, turn=turn)
    assert report.is_reachable, report
    assert [result.path for result in report.results] == [file.path for file in files]
    assert_nothing_is_beside(node)
    return report


def kept(runtime: NodeRuntime, *paths: str) -> list[Kept]:
    keeping = runtime.keep(paths)
    assert keeping.report.is_reachable, keeping
    assert [file.path for file in keeping.files] == list(paths), keeping
    return list(keeping.files)


def tree(root: Path) -> dict[str, bytes]:
    files = (path for path in root.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


def assert_nothing_is_beside(node: NodeUnderTest) -> None:
    assert [path for path in tree(node.root) if "fleetwright" in path] == []


def on_disk(node: NodeUnderTest, file: PatchFile) -> bytes | None:
    path = node.root / file.path
    return path.read_bytes() if path.exists() else None


def test_a_node_says_what_it_is_and_what_it_has_loaded(node: NodeUnderTest) -> None:
    node.answer()
    module, spare = node.module(1), node.spare(1)
    report = node.runtime().inspect([module.path, spare.path, node.assembly(b"").path])
    assert report.is_reachable and report.runtime and report.millis >= 0
    assert report.module_count >= 2
    loaded, unloaded = report.loaded
    assert (loaded.path, loaded.is_loaded, loaded.is_system) == (module.path, True, False)
    assert loaded.version == loaded.disk_version != ""
    assert (unloaded.path, unloaded.is_loaded, unloaded.version) == (spare.path, False, "")
    assert unloaded.disk_version != ""


def test_looking_changes_nothing(node: NodeUnderTest) -> None:
    node.answer()
    files = [
        node.module(2),
        node.spare(2),
        node.new_module(),
        node.assembly(b"rates"),
        node.text_for_a_module(),
        node.failing_at_load(),
    ]
    before, runtime = tree(node.root), node.runtime()
    seen = runtime.inspect([file.path for file in files]).loaded
    for file in files:
        assert runtime.check([file]).is_reachable
    kept(runtime, *[file.path for file in files])
    assert tree(node.root) == before
    assert runtime.inspect([file.path for file in files]).loaded == seen
    assert node.answer() == 1


def test_a_patch_is_in_memory_and_on_the_disk_and_survives_a_restart(node: NodeUnderTest) -> None:
    count, patch = node.bump(), node.module(2)
    assert node.answer() == 1
    foretold = only(node.runtime().check([patch]))
    assert (foretold.status, foretold.is_written) == (Status.OK, False)
    result = only(applied(node, patch))
    assert (result.status, result.is_written) == (Status.OK, True)
    assert result.before == foretold.before != result.after == foretold.after
    assert node.answer() == 2
    assert node.count() == count
    assert on_disk(node, patch) == patch.data
    node.restart()
    assert node.answer() == 2


def test_a_repeat_is_not_changed(node: NodeUnderTest) -> None:
    node.answer()
    applied(node, node.module(2))
    result = only(applied(node, node.module(2)))
    assert (result.status, result.is_written) == (Status.NOT_CHANGED, True)
    assert result.before == result.after
    assert only(node.runtime().check([node.module(2)])).status is Status.NOT_CHANGED


def test_what_differs_in_the_file_only_is_written_and_not_changed(node: NodeUnderTest) -> None:
    node.answer()
    patch = node.module_with_other_bytes()
    assert on_disk(node, patch) != patch.data
    result = only(applied(node, patch))
    assert (result.status, result.is_written) == (Status.NOT_CHANGED, True)
    assert on_disk(node, patch) == patch.data


def test_a_module_that_is_not_loaded_is_written_and_stays_unloaded(node: NodeUnderTest) -> None:
    patch = node.spare(2)
    assert only(node.runtime().check([patch])).status is Status.NOT_LOADED
    result = only(applied(node, patch))
    assert (result.status, result.is_written) == (Status.NOT_LOADED, True)
    assert on_disk(node, patch) == patch.data
    (loaded,) = node.runtime().inspect([patch.path]).loaded
    assert not loaded.is_loaded


def test_a_new_module_comes_and_goes(node: NodeUnderTest) -> None:
    patch = node.new_module()
    (before,) = kept(node.runtime(), patch.path)
    assert before.data is None
    result = only(applied(node, patch))
    assert (result.status, result.is_written) == (Status.NOT_LOADED, True)
    assert on_disk(node, patch) == patch.data
    back = only(applied(node, before.back()))
    assert back.status in {Status.NOT_LOADED, Status.OK} and back.is_written
    assert on_disk(node, patch) is None
    assert only(applied(node, before.back())).status is Status.NOT_CHANGED


def test_an_assembly_is_copied_and_has_no_status(node: NodeUnderTest) -> None:
    patch = node.assembly(b"rates")
    (before,) = kept(node.runtime(), patch.path)
    assert only(node.runtime().check([patch])).status is None
    result = only(applied(node, patch))
    assert (result.status, result.is_written) == (None, True)
    assert on_disk(node, patch) == b"rates"
    assert (node.root / patch.path).stat().st_mode & 0o777 == 0o640
    (now,) = kept(node.runtime(), patch.path)
    assert (now.data, now.mode & 0o777) == (b"rates", 0o640)
    assert only(applied(node, before.back())).is_written
    assert on_disk(node, patch) is None


def test_what_was_kept_brings_everything_back(node: NodeUnderTest) -> None:
    count = node.bump()
    assert node.answer() == 1
    patches = [node.module(2), node.spare(2), node.assembly(b"new")]
    before = tree(node.root)
    way_back = kept(node.runtime(), *[patch.path for patch in patches])
    assert way_back[0].version == only(node.runtime().check([patches[0]])).before
    applied(node, *patches)
    assert node.answer() == 2
    report = applied(node, *[file.back() for file in way_back])
    assert all(result.is_written for result in report.results)
    assert report.results[0].status is Status.OK
    assert node.answer() == 1
    assert node.count() == count
    assert tree(node.root) == before


@pytest.mark.parametrize(
    ("what", "status"),
    [
        ("text_for_a_module", Status.NOT_BEAM),
        ("in_a_wrong_folder", Status.WRONG_PATH),
        ("system_library", Status.ERROR),
    ],
)
def test_what_is_refused_changes_nothing_and_the_others_go_in(
    node: NodeUnderTest, what: str, status: Status
) -> None:
    node.answer()
    bad: PatchFile = getattr(node, what)()
    good = node.spare(2)
    before = on_disk(node, bad)
    checked = node.runtime().check([bad, good])
    assert [result.status for result in checked.results] == [status, Status.NOT_LOADED]
    assert checked.status is status
    report = applied(node, bad, good)
    assert [result.status for result in report.results] == [status, Status.NOT_LOADED]
    assert [result.is_written for result in report.results] == [False, True]
    assert on_disk(node, bad) == before
    assert node.answer() == 1


@pytest.mark.parametrize(
    "path", ["../outside", "/etc/passwd", "a//b", "a/./b", "a/../b", "", "a\\b", "a\0b", "a/"]
)
def test_a_path_that_is_no_plain_relative_one_is_wrong(node: NodeUnderTest, path: str) -> None:
    around = tree(node.root.parent)
    result = only(node.runtime().apply([PatchFile(path, b"x")], turn=TURN))
    assert (result.status, result.is_written) == (Status.WRONG_PATH, False)
    assert tree(node.root.parent) == around


def test_a_folder_that_leads_out_of_the_root_is_wrong(node: NodeUnderTest, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (node.root / "link").symlink_to(tmp_path / "elsewhere")
    result = only(node.runtime().apply([PatchFile("link/new/file", b"x")], turn=TURN))
    assert (result.status, result.is_written) == (Status.WRONG_PATH, False)
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_code_that_fails_at_its_load_leaves_all_as_it_was(node: NodeUnderTest) -> None:
    node.answer()
    patch = node.failing_at_load()
    before = tree(node.root)
    report = applied(node, patch)
    assert (report.status, report.needs_restart) == (Status.NOT_UPDATED, True)
    assert not only(report).is_written
    assert tree(node.root) == before
    assert node.answer() == 1


def test_what_runs_in_older_code_is_never_ended(node: NodeUnderTest) -> None:
    node.answer()
    holder = node.hold_older_code()
    patch = node.module(3)
    assert only(node.runtime().check([patch])).status is Status.NOT_UPDATED
    report = applied(node, patch)
    assert (report.status, report.needs_restart) == (Status.NOT_UPDATED, True)
    result = only(report)
    assert result.is_written and result.lingering > 0
    assert on_disk(node, patch) == patch.data
    assert holder.is_alive()
    assert node.answer() != 3
    holder.release()
    assert only(applied(node, patch)).status is Status.OK
    assert node.answer() == 3


def test_a_restart_completes_what_was_not_updated(node: NodeUnderTest) -> None:
    node.answer()
    node.hold_older_code()
    assert applied(node, node.module(3)).needs_restart
    node.restart()
    assert node.answer() == 3
    assert only(applied(node, node.module(3))).status is Status.NOT_CHANGED


def test_a_file_that_cannot_bring_the_running_code_back_is_not_kept(node: NodeUnderTest) -> None:
    node.answer()
    module, spare = node.module(2), node.spare(1)
    assert module.data is not None
    (node.root / module.path).write_bytes(module.data)
    keeping = node.runtime().keep([module.path, spare.path])
    assert keeping.report.is_reachable
    assert keeping.files == ()
    assert module.path in keeping.report.detail


def test_an_older_holder_is_told_so_and_does_nothing(node: NodeUnderTest) -> None:
    node.answer()
    runtime = node.runtime()
    assert runtime.apply([node.spare(2)], turn=Turn("two", 5)).is_reachable
    late = runtime.apply([node.module(2)], turn=Turn("two", 4))
    assert (late.is_reachable, late.reason) == (False, Trouble.STALE)
    assert node.answer() == 1
    assert runtime.apply([node.module(2)], turn=Turn("two", 5)).is_reachable
    assert runtime.apply([node.module(3)], turn=Turn("another", 1)).is_reachable
    assert node.answer() == 3


def test_a_folder_that_cannot_be_written_to_leaves_memory_and_disk_alone(
    node: NodeUnderTest, immutable: Path
) -> None:
    node.answer()
    patch = node.module(2)
    result = only(applied(node, patch))
    assert (result.status, result.is_written) == (Status.ERROR, False)
    assert node.answer() == 1
    assert on_disk(node, patch) != patch.data
    assert str(immutable).endswith(str(Path(patch.path).parent))


def test_a_wrong_secret_is_refused_and_not_repeated(node: NodeUnderTest) -> None:
    report = node.stranger().inspect([])
    assert (report.is_reachable, report.reason) == (False, Trouble.REFUSED)
    assert report.status is Status.ERROR
    assert "another" not in report.detail


def test_a_frozen_node_is_told_within_its_limit(node: NodeUnderTest) -> None:
    runtime = node.runtime()
    node.freeze()
    began = time.monotonic()
    for report in (
        runtime.inspect([]),
        runtime.check([node.spare(2)]),
        runtime.apply([node.spare(2)], turn=TURN),
    ):
        assert (report.is_reachable, report.reason) == (False, Trouble.TIMED_OUT), report
    assert time.monotonic() - began < 3 * 5


def test_a_node_that_is_dead_is_unreachable(node: NodeUnderTest) -> None:
    runtime = node.runtime()
    node.kill()
    keeping = runtime.keep([])
    assert (keeping.report.is_reachable, keeping.files) == (False, ())
    assert keeping.report.reason is Trouble.UNREACHABLE


def test_two_patches_at_once_do_not_mix(node: NodeUnderTest) -> None:
    node.answer()
    reports: list[NodeReport] = []

    def put(version: int) -> None:
        turn = Turn(upgrade=f"at once {version}", fence=1)
        files = [node.module(version), node.spare(version)]
        reports.append(node.runtime().apply(files, turn=turn))

    node.module(4), node.spare(4), node.module(5), node.spare(5)
    threads = [threading.Thread(target=put, args=[version]) for version in (4, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [report.status for report in reports] == [Status.OK, Status.OK], reports
    last = node.answer()
    for file in (node.module(last), node.spare(last)):
        assert on_disk(node, file) == file.data
    assert_nothing_is_beside(node)
