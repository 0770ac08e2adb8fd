"""Backups of containers' data: what is copied comes back as it was, whatever happens to it on the way."""

from __future__ import annotations

import gzip
import os
import shutil
import stat
import subprocess
import tarfile
from datetime import timedelta
from pathlib import Path

import pytest

from devices.errors import DeviceError
from tests.containers.backup_bench import NOON, Bench, grow, seen
from tests.environment.programs import need_root
from updates.errors import BackupRefused, StepFailed
from updates.recipes.container.backup_files import BackupFiles


@pytest.fixture(autouse=True)
def _owners() -> None:
    need_root("files of several owners")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def spoil(place: Path) -> None:
    """As another version of the program leaves it: changed, removed, added, other kinds of things."""
    (place / "plain").write_text("migrated")
    (place / "sub/secret").unlink()
    (place / "added").write_text("added")
    shutil.rmtree(place / "empty")
    (place / "empty").write_text("a file now")
    (place / "to-nowhere").unlink()
    (place / "to-nowhere").mkdir()
    (place / "to-nowhere/x").write_text("x")
    place.chmod(0o777)
    os.chown(place, 0, 0)


def entries(path: str) -> list[str]:
    with tarfile.open(path) as archive:
        return archive.getnames()


def test_what_is_put_back_is_exactly_what_was(bench: Bench) -> None:
    grow(bench.place())
    before = seen(bench.place())
    written = bench.backups.final(bench.context)
    spoil(bench.place())
    bench.next_visit()
    bench.backups.restore(bench.context, written.path)
    assert seen(bench.place()) == before


def test_a_live_copy_of_files_is_put_back_exactly_too(bench: Bench) -> None:
    grow(bench.place())
    before = seen(bench.place())
    written = bench.backups.live(bench.context)
    assert written is not None
    assert written.is_live
    spoil(bench.place())
    bench.next_visit()
    bench.backups.restore(bench.context, written.path)
    assert seen(bench.place()) == before


def test_several_volumes_each_come_back(tmp_path: Path) -> None:
    bench = Bench(tmp_path, volumes=("one", "two.x", "none"))
    grow(bench.place("one"))
    (bench.place("two.x") / "one").write_text("not the volume")
    before = [seen(bench.place(name)) for name in bench.volumes]
    for number, live in enumerate((False, True)):
        bench.moment = NOON + timedelta(minutes=number)
        backups = bench.backups
        written = backups.live(bench.context) if live else backups.final(bench.context)
        assert written is not None
        assert "two.x/one" in entries(written.path)
        spoil(bench.place("one"))
        shutil.rmtree(bench.place("two.x"))
        bench.place("two.x").mkdir()
        (bench.place("none") / "something").write_text("x")
        bench.next_visit()
        bench.backups.restore(bench.context, written.path)
        assert [seen(bench.place(name)) for name in bench.volumes] == before
        bench.next_visit()


@pytest.mark.parametrize("beside", [(), ("data",)], ids=["alone", "beside a volume"])
@pytest.mark.parametrize("live", [False, True])
def test_a_folder_of_the_device_comes_back_as_a_volume_does(
    tmp_path: Path, beside: tuple[str, ...], live: bool
) -> None:
    folder = tmp_path / "srv/the app's [data]"
    folder.mkdir(parents=True)
    bench = Bench(tmp_path, volumes=(str(folder), *beside), places={str(folder): folder})
    grow(folder)
    before, number = seen(folder), folder.stat().st_ino
    written = bench.backups.live(bench.context) if live else bench.backups.final(bench.context)
    assert written is not None
    spoil(folder)
    bench.next_visit()
    bench.backups.restore(bench.context, written.path)
    assert (seen(folder), folder.stat().st_ino) == (before, number)


def test_the_file_is_named_private_and_says_what_it_is_of(bench: Bench) -> None:
    (bench.place() / "a").write_text("a")
    written = bench.backups.final(bench.context)
    path = Path(written.path)
    assert path == bench.folder / "backups/upgrade-backup-20260102_120000.tar.gz"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert written.size == path.stat().st_size
    assert written.taken_at == "2026-01-02T12:00:00+00:00"
    sums = subprocess.run(["sha256sum", "-c", f"{path.name}.sha256"], cwd=path.parent, check=False)
    assert sums.returncode == 0
    assert written.sha256 in Path(f"{path}.sha256").read_text()
    assert entries(written.path)[:3] == [".fleetwright/backup.json", ".", "./a"]
    (found,) = BackupFiles(bench.shell, str(path.parent)).found()
    assert found.manifest is not None
    assert (found.manifest.instance, found.manifest.version) == ("app1", "1")
    assert found.manifest.volumes == {"data": "."}
    assert {one.name for one in path.parent.iterdir()} == {path.name, f"{path.name}.sha256"}


@pytest.mark.parametrize("tar", [["tar"], ["busybox", "tar"]], ids=" ".join)
def test_it_is_unpacked_by_hand_in_the_volume(bench: Bench, tmp_path: Path, tar: list[str]) -> None:
    grow(bench.place())
    before = seen(bench.place())
    written = bench.backups.final(bench.context)
    by_hand = tmp_path / "by-hand"
    by_hand.mkdir()
    subprocess.run([*tar, "xzf", written.path], cwd=by_hand, check=True)
    shutil.rmtree(by_hand / ".fleetwright")
    assert seen(by_hand) == before


def test_with_busybox_alone_it_is_the_same(bench: Bench, tmp_path: Path) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    subprocess.run(["busybox", "--install", "-s", str(programs)], check=True)
    # Debian builds its own without this one.
    (programs / "flock").symlink_to(shutil.which("flock") or "/usr/bin/flock")
    grow(bench.place())
    before = seen(bench.place())
    path = os.environ["PATH"]
    os.environ["PATH"] = str(programs)
    try:
        assert [one.says for one in bench.backups.findings() if not one.ok] == []
        assert bench.backups.live(bench.context) is None
        said = [text for text, _, _ in bench.journal.facts["notes"]]
        assert any("needs a hook, or python3" in text for text in said)
        written = bench.backups.final(bench.context)
        spoil(bench.place())
        bench.next_visit()
        bench.backups.restore(bench.context, written.path)
    finally:
        os.environ["PATH"] = path
    assert seen(bench.place()) == before


@pytest.mark.parametrize("live", [False, True])
@pytest.mark.parametrize("where", ["backups", "var/lib/old backups"])
def test_backups_in_the_volume_itself_are_neither_copied_nor_taken_away(
    tmp_path: Path, where: str, live: bool
) -> None:
    place = tmp_path / "volumes/data/_data"
    bench = Bench(tmp_path, directory=place / where)
    grow(place)
    (place / "var").mkdir(mode=0o700, exist_ok=True)
    os.chown(place / "var", 33, 33)
    (place / "var/beside").write_text("data")
    (place / ".upgrade-trigger").write_text("ours")
    (place / "sub/.upgrade-of-theirs").write_text("theirs")
    (place / where).mkdir(parents=True)
    (place / where / "by-hand.tar.gz").write_text("a person's")
    before = seen(place)
    written = (bench.backups.live if live else bench.backups.final)(bench.context)
    assert written is not None
    names = entries(written.path)
    assert f"./{where}" not in names
    assert "./.upgrade-trigger" not in names
    assert "./sub/.upgrade-of-theirs" in names
    spoil(place)
    (place / "var/beside").write_text("changed")
    (place / "var").chmod(0o755)
    (place / ".upgrade-trigger").write_text("ours, later")
    bench.next_visit()
    bench.backups.restore(bench.context, written.path)
    after = seen(place)
    assert after.pop("/.upgrade-trigger").endswith("b'ours, later'")
    del before["/.upgrade-trigger"]
    for name in (Path(written.path).name, f"{Path(written.path).name}.sha256"):
        del after[f"/{where}/{name}"]
    assert after == before


def test_backups_may_not_lie_where_a_volume_is(tmp_path: Path) -> None:
    bench = Bench(tmp_path, directory=tmp_path / "volumes")
    assert any("own" in one.says and not one.ok for one in bench.backups.findings())
    with pytest.raises(BackupRefused, match="a directory of their own"):
        bench.backups.final(bench.context)


def test_two_in_one_second_have_two_names(bench: Bench) -> None:
    first = bench.backups.final(bench.context)
    bench.next_visit()
    second = bench.backups.final(bench.context)
    assert Path(first.path).name == "upgrade-backup-20260102_120000.tar.gz"
    assert Path(second.path).name == "upgrade-backup-20260102_120001.tar.gz"


def test_once_written_it_is_not_written_again(bench: Bench) -> None:
    first = bench.backups.final(bench.context)
    (bench.place() / "later").write_text("x")
    assert bench.backups.final(bench.context) == first
    assert "./later" not in entries(first.path)


class TestDamage:
    def test_a_file_that_was_changed_is_not_put_back(self, bench: Bench) -> None:
        (bench.place() / "a").write_text("a")
        written = bench.backups.final(bench.context)
        with tarfile.open(written.path) as archive:
            content = gzip.decompress(Path(written.path).read_bytes())
            assert archive.getnames()
        Path(written.path).write_bytes(gzip.compress(content.replace(b"./a", b"./b")))
        self.refused(bench, written.path, "its sum is another one")

    def test_nor_one_that_ends_too_early(self, bench: Bench) -> None:
        (bench.place() / "a").write_bytes(os.urandom(300_000))
        written = bench.backups.final(bench.context)
        Path(f"{written.path}.sha256").unlink()
        whole = Path(written.path).read_bytes()
        Path(written.path).write_bytes(whole[: len(whole) // 2])
        self.refused(bench, written.path, "it is no whole gzip")
        content = gzip.decompress(whole)
        Path(written.path).write_bytes(gzip.compress(content[: len(content) // 2]))
        self.refused(bench, written.path, "it is no whole tar")

    def test_nor_one_that_is_not_there(self, bench: Bench) -> None:
        path = f"{bench.folder}/backups/upgrade-backup-20200101_000000.tar.gz"
        self.refused(bench, path, "is not there")

    @staticmethod
    def refused(bench: Bench, path: str, why: str) -> None:
        (bench.place() / "now").write_text("now")
        before = seen(bench.place())
        bench.next_visit()
        with pytest.raises(StepFailed, match=why):
            bench.backups.restore(bench.context, path)
        assert seen(bench.place()) == before


def test_one_that_a_person_packed_is_put_back_into_the_only_volume(bench: Bench) -> None:
    (bench.place() / "a").write_text("a")
    by_hand = bench.folder / "by-hand.tar.gz"
    subprocess.run(["tar", "czf", str(by_hand), "-C", str(bench.place()), "."], check=True)
    before = seen(bench.place())
    (bench.place() / "a").write_text("b")
    bench.backups.restore(bench.context, str(by_hand))
    assert seen(bench.place()) == before


class TestPruning:
    def write(self, bench: Bench, count: int) -> list[str]:
        paths = []
        for number in range(count):
            bench.moment = NOON + timedelta(hours=number)
            bench.next_visit()
            paths.append(bench.backups.final(bench.context).path)
        return paths

    def left(self, bench: Bench) -> set[str]:
        return {str(path) for path in (bench.folder / "backups").glob("*.tar.gz")}

    def test_the_newest_stay_and_those_that_are_named(self, bench: Bench) -> None:
        bench.set(keep=2)
        first, second, third, fourth = self.write(bench, 4)
        gone = bench.backups.prune(bench.context, never=[first])
        assert gone == [second]
        assert self.left(bench) == {first, third, fourth}
        assert not Path(f"{second}.sha256").exists()

    def test_damaged_ones_do_not_count_so_the_only_good_one_stays(self, bench: Bench) -> None:
        first, second, third = self.write(bench, 3)
        for path in (second, third):
            content = bytearray(Path(path).read_bytes())
            content[-20] ^= 1
            Path(path).write_bytes(content)
        assert bench.backups.prune(bench.context, never=[]) == []
        assert self.left(bench) == {first, second, third}

    def test_what_is_not_ours_stays(self, bench: Bench) -> None:
        first, _ = self.write(bench, 2)
        folder = bench.folder / "backups"
        (folder / "by-hand.tar.gz").write_text("x")
        (folder / "upgrade-backup-20200101_000000.tar.gz").write_text("x")
        others = folder / "upgrade-backup-20200101_000001.tar.gz"
        content = gzip.decompress(Path(first).read_bytes()).replace(b'"app1"', b'"app2"')
        others.write_bytes(gzip.compress(content))
        assert bench.backups.prune(bench.context, never=[]) == [first]
        assert len(self.left(bench)) == 4

    def test_copies_that_nobody_went_on_with_are_gone_after_a_day(self, bench: Bench) -> None:
        self.write(bench, 1)
        for name, days in (("old", 2), ("new", 0)):
            part = bench.folder / f"backups/.upgrade-backup-{name}.tar.gz.part"
            part.mkdir()
            (part / "archive").write_text("x")
            then = (NOON.now() - timedelta(days=days)).timestamp()
            os.utime(part, (then, then))
        bench.backups.prune(bench.context, never=[])
        assert not (bench.folder / "backups/.upgrade-backup-old.tar.gz.part").exists()
        assert (bench.folder / "backups/.upgrade-backup-new.tar.gz.part").exists()


class TestFindings:
    def test_all_is_well_and_nothing_is_made(self, bench: Bench) -> None:
        assert [one.says for one in bench.backups.findings() if not one.ok] == []
        assert not (bench.folder / "backups").exists()

    def test_a_file_in_the_place_of_the_directory(self, bench: Bench) -> None:
        (bench.folder / "backups").write_text("x")
        assert "cannot be written" in self.bad(bench)

    def test_a_volume_that_is_not_seen(self, bench: Bench) -> None:
        bench.place().rmdir()
        assert "does not see volume data" in self.bad(bench)

    @staticmethod
    def bad(bench: Bench) -> str:
        return " ".join(one.says for one in bench.backups.findings() if not one.ok)


def test_a_directory_of_backups_that_cannot_be_made_fails_the_copy(bench: Bench) -> None:
    (bench.folder / "backups").write_text("x")
    with pytest.raises(DeviceError):
        bench.backups.final(bench.context)
