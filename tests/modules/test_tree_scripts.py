"""What moves a module's files: over any tree, ended at any instruction, it comes to the new tree or back to the old one."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.environment.killing import Killing
from updates.formats.module_image import Kind, Listed, Listing, no_longer_required
from updates.recipes.module.device_scripts import (
    BACK_UP,
    PATCH_ENVIRONMENT,
    PUT_BACK_ENVIRONMENT,
    PUT_BACK_STATE,
    STAGE,
    STAGE_KEPT,
    SWAP,
    SWAP_BACK,
)

Tree = Mapping[str, str | None]
"""Contents of files by path; None is a directory, a text that begins with `->` a symbolic link."""

CHANGERS = ("mv", "mkdir", "rmdir", "chmod")


@dataclass(frozen=True, slots=True)
class Bench:
    """A tree and a keeping place in a folder of their own."""

    folder: Path

    @property
    def root(self) -> Path:
        return self.folder / "tree"

    @property
    def base(self) -> Path:
        return self.root / ".fleetwright" / "upgrade"

    def run(self, text: str, *words: str, stdin: bytes = b"") -> str:
        """What the script said; it has ended well."""
        finished = self.attempt(text, *words, stdin=stdin)
        assert finished.returncode == 0, finished.stdout.decode()
        return finished.stdout.decode()

    def attempt(
        self, text: str, *words: str, stdin: bytes = b"", env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        """How the script ended."""
        return subprocess.run(
            ["sh", "-c", text, "sh", *(words or (str(self.root), str(self.base)))],
            input=stdin, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        )  # fmt: skip

    def grow(self, tree: Tree) -> None:
        """The files are there."""
        put(self.root, tree)

    def stage(self, old: Tree, new: Tree) -> None:
        """All that a swap from `old` to `new` wants lies in the keeping place."""
        stage = self.base / "stage"
        shutil.rmtree(stage, ignore_errors=True)
        put(stage / "new", new)
        (self.base / "old").mkdir(parents=True, exist_ok=True)
        lines = {"new.lst": listed(new), "old.lst": listed(old)}
        lines["gone.lst"] = no_longer_required(listed(old), listed(new))
        for name, wanted in lines.items():
            (stage / name).write_text("".join(f"{line}\n" for line in wanted))

    def killed_swap(self, at: int, killing: Killing) -> bool:
        """A swap that dies at its change number `at`; False when it had ended before."""
        return killing.run(SWAP, [str(self.root), str(self.base)], at=at)

    def seen(self) -> dict[str, str]:
        """Every path but those of the keeping place: what it is, its mode, what it holds."""
        found = {}
        for path in sorted(self.root.rglob("*")):
            name = path.relative_to(self.root).as_posix()
            if name.partition("/")[0] == ".fleetwright":
                continue
            if path.is_symlink():
                found[name] = f"-> {path.readlink()}"
            elif path.is_dir():
                found[name] = f"directory {path.stat().st_mode & 0o777:o}"
            else:
                found[name] = f"{path.stat().st_mode & 0o777:o} {path.read_text()}"
        return found


def put(root: Path, tree: Tree) -> None:
    """The entries of `tree` below `root`."""
    root.mkdir(parents=True, exist_ok=True)
    for name, content in sorted(tree.items()):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if content is None:
            path.mkdir(exist_ok=True)
        elif content.startswith("->"):
            path.symlink_to(content[2:])
        else:
            path.write_text(content)
            path.chmod(0o755 if "run" in content else 0o640)


def listed(tree: Tree) -> list[str]:
    """The list of a tree, as an imageroot's is written, with the directories that lead to its files."""
    entries: dict[str, Listed] = {}
    for name, content in tree.items():
        for parent in Path(name).parents:
            if parent != Path():
                entries[parent.as_posix()] = Listed(Kind.DIRECTORY, 0o755)
        is_link = content is not None and content.startswith("->")
        kind = Kind.DIRECTORY if content is None else Kind.LINK if is_link else Kind.FILE
        entries[name] = Listed(kind, 0o644)
    return Listing.of(entries).paths


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    made = Bench(tmp_path)
    made.root.mkdir()
    return made


@pytest.fixture(scope="module")
def killing(tmp_path_factory: pytest.TempPathFactory) -> Killing:
    """Programs that change a tree, and kill who calls the one that is meant."""
    return Killing.of(tmp_path_factory.mktemp("killing"), CHANGERS)


OLD: Tree = {
    "bin/tool": "run old", "etc/deep/gone": "x", "etc/old.conf": "old", "etc/same": "same", "into-file/a": "a",
    "into-dir": "file", "link": "->bin/tool", "empty": None, "link-into-file": "->nowhere",
}  # fmt: skip
NEW: Tree = {
    "bin/tool": "run new", "etc/new.conf": "new", "etc/same": "same", "into-file": "now a file",
    "into-dir/b": "b", "link": "->etc/same", "link-into-file": "content", "fresh/deep/file": "f",
}  # fmt: skip
LOCAL: Tree = {"state/environment": "A=1\n", "etc/local.conf": "mine", "fresh-local": "mine"}


def test_what_is_new_is_there_what_is_old_is_gone_and_what_is_local_stays(bench: Bench) -> None:
    bench.grow({**OLD, **LOCAL, "etc/deep/local": "mine too"})
    bench.stage(OLD, NEW)
    bench.run(SWAP)
    seen = bench.seen()
    assert seen["bin/tool"] == "755 run new"
    assert seen["into-file"].endswith("now a file")
    assert seen["into-dir/b"].endswith("b")
    assert seen["link"] == "-> etc/same"
    assert seen["etc/local.conf"].endswith("mine")
    assert seen["etc/deep/local"].endswith("mine too"), "its directory stays with it"
    assert not {"etc/old.conf", "etc/deep/gone", "empty", "into-file/a"} & set(seen)


def test_a_directory_with_a_local_file_does_not_become_a_file(bench: Bench) -> None:
    bench.grow({**OLD, "into-file/local": "mine"})
    before = bench.seen()
    bench.stage(OLD, NEW)
    finished = bench.attempt(SWAP)
    assert finished.returncode == 1
    assert b"into-file/local in it is not the module's" in finished.stdout
    bench.run(SWAP_BACK)
    assert bench.seen() == before


def test_a_link_that_somebody_put_in_place_of_a_directory_is_gone_through(bench: Bench) -> None:
    bench.grow({"big/etc/same": "same", "etc": "->big/etc"})
    bench.stage({"etc/same": "same"}, {"etc/same": "other"})
    bench.run(SWAP)
    assert bench.seen()["big/etc/same"].endswith("other")


def test_what_a_script_changed_of_the_new_files_goes_with_them(bench: Bench) -> None:
    bench.grow({**OLD, **LOCAL})
    before = bench.seen()
    bench.stage(OLD, NEW)
    bench.run(SWAP)
    (bench.root / "etc/new.conf").write_text("changed")
    (bench.root / "bin/tool").unlink()
    bench.run(SWAP_BACK)
    assert bench.seen() == before


def test_ended_at_any_change_it_goes_back_to_what_was(tmp_path: Path, killing: Killing) -> None:
    at = 0
    while True:
        at += 1
        bench = Bench(tmp_path / str(at))
        bench.grow({**OLD, **LOCAL})
        before = bench.seen()
        bench.stage(OLD, NEW)
        if not bench.killed_swap(at, killing):
            break
        bench.run(SWAP_BACK)
        assert bench.seen() == before, f"killed at change {at}"
    assert at > 15, "it was killed often enough to mean something"


def test_ended_at_any_change_it_goes_on_to_what_is_new(tmp_path: Path, killing: Killing) -> None:
    whole = Bench(tmp_path / "whole")
    whole.grow({**OLD, **LOCAL})
    whole.stage(OLD, NEW)
    whole.run(SWAP)
    for at in range(1, 16):
        bench = Bench(tmp_path / str(at))
        bench.grow({**OLD, **LOCAL})
        bench.stage(OLD, NEW)
        assert bench.killed_swap(at, killing)
        bench.run(SWAP)
        assert bench.seen() == whole.seen(), f"killed at change {at}"


NAMES = st.sampled_from(["a", "b", "c", "a b", "-d", "e'f"])
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
CONTENTS = st.one_of(st.none(), st.sampled_from(["one", "two", "run"]), st.just("->a"))


@st.composite
def trees(draw: st.DrawFn) -> Tree:
    """A tree in which nothing stands below what is no directory."""
    tree: dict[str, str | None] = {}
    for path, content in draw(st.dictionaries(PATHS, CONTENTS, max_size=8)).items():
        above = {parent.as_posix() for parent in Path(path).parents}
        below = any(other.startswith(f"{path}/") for other in tree)
        if all(tree.get(one) is None for one in above) and (content is None or not below):
            tree[path] = content
    return tree


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(old=trees(), new=trees())
def test_any_tree_becomes_any_other_and_comes_back(old: Tree, new: Tree) -> None:
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        bench.grow(old)
        before = bench.seen()
        bench.stage(old, new)
        bench.run(SWAP)
        assert set(bench.seen()) == {line[2:].removesuffix("/") for line in listed(new)}
        bench.run(SWAP_BACK)
        assert bench.seen() == before


def test_what_was_replaced_can_be_staged_again(bench: Bench) -> None:
    """The way back by hand is a swap, too, and has a way back of its own."""
    bench.grow({**OLD, **LOCAL})
    before = bench.seen()
    bench.stage(OLD, NEW)
    bench.run(SWAP)
    after = bench.seen()
    again = Bench(bench.folder)
    base = bench.root / ".fleetwright" / "second"
    stage = base / "stage"
    stage.mkdir(parents=True)
    (base / "old").mkdir()
    gone = no_longer_required(listed(NEW), listed(OLD))
    (stage / "old.lst").write_text("".join(f"{line}\n" for line in listed(NEW)))
    (stage / "gone.lst").write_text("".join(f"{line}\n" for line in gone))
    again.run(STAGE_KEPT, str(base), str(bench.base))
    again.run(SWAP, str(bench.root), str(base))
    assert bench.seen() == before
    again.run(SWAP_BACK, str(bench.root), str(base))
    assert bench.seen() == after


def test_staging_notices_what_did_not_arrive(bench: Bench, tmp_path: Path) -> None:
    sent = tmp_path / "sent"
    put(sent, {"new/a": "one", "new/b": "two"})
    bench.run(STAGE, str(sent), str(bench.base))
    assert (bench.base / "stage/new/b").read_text() == "two"
    losing = 'sh() { :; }; tar() { command tar "$@"; if [ "$3" = -xpof ]; then rm -f -- "$2/new/b"; fi; }\n'
    finished = bench.attempt(losing + STAGE, str(sent), str(bench.base))
    assert finished.returncode == 1
    assert b"is not what was sent" in finished.stdout


class TestEnvironment:
    def test_what_is_named_is_set_or_removed_and_the_rest_stays(self, bench: Bench) -> None:
        bench.grow({"state/environment": "# note\nB=2\nA=1\nGONE=x\nodd line\nEQ=a=b\\n c\n"})
        (bench.root / "state/environment").chmod(0o640)
        bench.stage({}, {})
        (bench.base / "stage/environment.patch").write_text("A=new\\t\nGONE\nZ_1=z\n")
        bench.run(PATCH_ENVIRONMENT)
        written = bench.root / "state/environment"
        assert written.read_text() == "A=new\\t\nB=2\nEQ=a=b\\n c\nZ_1=z\n"
        assert written.stat().st_mode & 0o777 == 0o640

    def test_of_lines_with_one_name_the_last_one_still_counts(self, bench: Bench) -> None:
        bench.grow({"state/environment": "MODE=new\nB=1\nMODE=a-later-append\n"})
        bench.stage({}, {})
        (bench.base / "stage/environment.patch").write_text("A=1\n")
        bench.run(PATCH_ENVIRONMENT)
        written = (bench.root / "state/environment").read_text()
        assert written == "A=1\nB=1\nMODE=new\nMODE=a-later-append\n"

    def test_there_is_one_afterwards_where_there_was_none(self, bench: Bench) -> None:
        bench.stage({}, {})
        (bench.base / "stage/environment.patch").write_text("A=1\n")
        bench.run(PATCH_ENVIRONMENT)
        assert (bench.root / "state/environment").read_text() == "A=1\n"
        bench.run(PUT_BACK_ENVIRONMENT)
        assert not (bench.root / "state/environment").exists()

    def test_it_comes_back_where_there_is_no_room_for_a_copy(self, bench: Bench) -> None:
        bench.grow({"state/environment": "A=1\n"})
        bench.run(BACK_UP, str(bench.root), str(bench.base), "", "no")
        for name in ("environment", ".environment.all", ".environment.new"):
            (bench.root / "state" / name).write_text("half")
        for _ in range(2):
            bench.run("cp() { return 1; }\n" + PUT_BACK_ENVIRONMENT)
            assert (bench.root / "state/environment").read_text() == "A=1\n"
            names = {path.name for path in (bench.root / "state").iterdir()}
            assert names == {"environment", ".environment.lock"}

    def test_it_comes_back_byte_for_byte(self, bench: Bench) -> None:
        odd = b"B=2\nno sense\n#c\nA=\xff\n"
        bench.grow({"state/other": "x"})
        (bench.root / "state/environment").write_bytes(odd)
        bench.run(BACK_UP, str(bench.root), str(bench.base), "", "yes")
        bench.stage({}, {})
        (bench.base / "stage/environment.patch").write_text("A=1\n")
        bench.run(PATCH_ENVIRONMENT)
        (bench.root / "state/other").write_text("migrated")
        bench.run(PUT_BACK_STATE)
        bench.run(PUT_BACK_ENVIRONMENT)
        assert (bench.root / "state/environment").read_bytes() == odd
        assert (bench.root / "state/other").read_text() == "x"
