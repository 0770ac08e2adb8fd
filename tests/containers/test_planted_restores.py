"""What somebody else has put into a volume under the names of a restore: nothing of it is gone by or leads elsewhere."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.containers.backup_bench import Bench, empty, put, seen
from tests.environment.killing import Killing
from tests.environment.programs import need_root
from updates.recipes.container.backup_scripts import EMPTY, SWAP, UNPACK

OLD = {"data.db": "old", "dir/a": "a", ".hidden": "h"}
NEW = {"data.db": "new", "dir/a": "changed", "added/y": "y"}
SOMEBODY = 999


@pytest.fixture(autouse=True)
def _owners() -> None:
    need_root("files of several owners")


@pytest.fixture
def killing(tmp_path: Path) -> Killing:
    return Killing.of(tmp_path / "killing", ())


class TestPlanted:
    """The volume's owner has put something there under the name of what a restore leaves when it is cut."""

    @pytest.fixture
    def bench(self, tmp_path: Path) -> Bench:
        """Data of which there is a backup; what counts is outside of the volume."""
        bench = Bench(tmp_path)
        put(bench.place(), OLD)
        put(tmp_path / "outside", {"secret": "s"})
        return bench

    def put_back(self, bench: Bench, killing: Killing) -> None:
        """All is as before, inside and outside: whatever was planted has led nowhere."""
        place = bench.place()
        path = bench.backups.final(bench.context).path
        expected, outside = seen_but_work(place), seen(bench.folder / "outside")
        empty(place, but=".upgrade-restore")
        put(place, NEW)
        killing.run(UNPACK, [path, "sum", str(place), ".", ""], at=0)
        killing.run(SWAP, [str(place), ".", ""], at=0)
        assert seen(bench.folder / "outside") == outside
        assert seen(place) == expected

    @pytest.mark.parametrize("owner", [SOMEBODY, os.getuid()])
    @pytest.mark.parametrize("name", ["old", "prefix", "out", "whole.new"])
    def test_a_link_leads_nowhere(
        self, bench: Bench, killing: Killing, name: str, owner: int
    ) -> None:
        """Also in a directory of root's that a backup held, and that was given this name."""
        work = plant(bench, {}, owner=owner)
        outside = bench.folder / "outside"
        (work / name).symlink_to(outside if name == "old" else outside / "secret")
        self.put_back(bench, killing)

    def test_it_is_no_link_itself(self, bench: Bench, killing: Killing) -> None:
        (bench.folder / "outside/old").mkdir()
        (bench.place() / ".upgrade-restore").symlink_to(bench.folder / "outside")
        self.put_back(bench, killing)

    @pytest.mark.parametrize("owner", [SOMEBODY, os.getuid()])
    def test_nothing_is_fetched_from_elsewhere(
        self, bench: Bench, killing: Killing, owner: int
    ) -> None:
        away = "../" * 5 + "outside"
        work = plant(bench, {"whole": "another", "old/x": "x", "prefix": away}, owner=owner)
        (work / "new").mkdir()
        assert (work / "new" / away / "secret").is_file()
        self.put_back(bench, killing)

    @pytest.mark.parametrize(("owner", "mode"), [(SOMEBODY, 0o700), (os.getuid(), 0o770)])
    def test_what_others_could_write_is_not_put_back(
        self, bench: Bench, killing: Killing, owner: int, mode: int
    ) -> None:
        work = plant(bench, {"whole": "sum", "new/got": "in", "prefix": "."}, owner=owner)
        work.chmod(mode)
        self.put_back(bench, killing)

    def test_where_we_were_going_on_nothing_is_written_through_a_link(
        self, bench: Bench, killing: Killing
    ) -> None:
        work = plant(bench, {}, owner=SOMEBODY)
        (work / "emptied").symlink_to(bench.folder / "outside/secret")
        killing.run(EMPTY, [str(bench.place()), ""], at=0)
        assert (bench.folder / "outside/secret").read_text() == "s"
        assert (bench.place() / ".upgrade-restore/emptied").is_file()

    def test_what_goes_away_goes_nowhere_else(self, bench: Bench, killing: Killing) -> None:
        """The name of what is thrown away leads elsewhere by the time that it is needed."""
        path, place = bench.backups.final(bench.context).path, bench.place()
        expected = seen(place)
        killing.run(UNPACK, [path, "sum", str(place), ".", ""], at=0)
        (place / ".upgrade-gone").symlink_to(bench.folder / "outside")
        killing.run(SWAP, [str(place), ".", ""], at=0)
        assert seen(place) == expected
        assert [one.name for one in (bench.folder / "outside").iterdir()] == ["secret"]

    def test_a_way_to_the_backups_that_is_a_link_in_the_backup_is_none(
        self, tmp_path: Path, killing: Killing
    ) -> None:
        bench = Bench(tmp_path)
        put(tmp_path / "outside", {"secret": "s"})
        (bench.place() / "var").symlink_to(tmp_path / "outside")
        path = bench.backups.final(bench.context).path
        (bench.place() / "var").unlink()
        (bench.place() / "var/backups").mkdir(parents=True)
        words = [path, "sum", str(bench.place()), ".", "./var\n./var/backups"]
        with pytest.raises(AssertionError, match="is no directory in the backup"):
            killing.run(UNPACK, words, at=0)
        assert (tmp_path / "outside/secret").is_file()


@pytest.mark.parametrize("mode", [0o755, 0o2775])
def test_what_it_has_unpacked_itself_is_not_unpacked_again(
    tmp_path: Path, killing: Killing, mode: int
) -> None:
    bench = Bench(tmp_path)
    put(bench.place(), OLD)
    bench.place().chmod(mode)
    path = bench.backups.final(bench.context).path
    new = bench.place() / ".upgrade-restore/new"
    killing.run(UNPACK, [path, "sum", str(bench.place()), ".", ""], at=0)
    unpacked = new.stat().st_ino
    killing.run(UNPACK, [path, "sum", str(bench.place()), ".", ""], at=0)
    assert new.stat().st_ino == unpacked


def plant(bench: Bench, files: dict[str, str], *, owner: int) -> Path:
    work = bench.place() / ".upgrade-restore"
    work.mkdir(mode=0o700)
    put(work, files)
    for path in [work, *work.rglob("*")]:
        os.chown(path, owner, owner)
    return work


def seen_but_work(place: Path) -> dict[str, str]:
    found = seen(place)
    return {name: what for name, what in found.items() if not name.startswith("/.upgrade-")}
