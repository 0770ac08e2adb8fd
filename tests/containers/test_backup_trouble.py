"""Backups in trouble: killed at any command, out of room, a hook or a dump that fails."""

from __future__ import annotations

import os
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from devices.drivers.docker_engine import DockerEngine
from devices.drivers.engine_ways import UnixWay
from devices.errors import DeviceError, OutOfSpace
from tests.containers.backup_bench import NOON, Bench, empty, put, seen
from tests.environment.docker import DockerEngine as RunningEngine
from tests.environment.killing import Killing
from tests.environment.module_images import build_image, busybox_files
from tests.environment.programs import need_root
from tests.environment.small_disk import small_disk
from updates.errors import StepFailed
from updates.plan import DumpPlan
from updates.recipes.container.backup_scripts import EMPTY, SWAP, UNPACK, UNPACK_DUMPS, WRITE

CHANGERS = ("mv", "rm", "mkdir", "chmod", "chown", "touch", "tar")
IMAGE = "backup-tests/busybox:1"
OLD = {"data.db": "old", "dir/a": "a", "dir/b": "b", ".hidden": "h", "gone/x": "x"}
NEW = {"data.db": "new", "dir/a": "changed", "added/y": "y"}


@pytest.fixture(autouse=True)
def _owners() -> None:
    need_root("files of several owners, and small file systems")


@pytest.fixture
def killing(tmp_path: Path) -> Killing:
    return Killing.of(tmp_path / "killing", CHANGERS)


def test_ended_at_any_command_it_is_put_back_by_the_next_try(
    tmp_path: Path, killing: Killing
) -> None:
    """Until all is unpacked, all that was there is there; afterwards a second try comes to what the backup holds."""
    place = tmp_path / "volumes/data/_data"
    bench = Bench(tmp_path, directory=place / "var/backups")
    put(place, OLD)
    put(place, {"var/beside": "beside"})
    path = bench.backups.final(bench.context).path
    expected = seen(place)
    unpack = [path, "sum", str(place), ".", "./var\n./var/backups"]
    swap = [str(place), ".", "./var\n./var/backups"]
    at = unpacked = 0
    while True:
        at += 1
        empty(place, but="var")
        put(place, {**NEW, "var/beside": "changed", "var/added": "x"})
        spoilt = seen(place)
        killed = killing.run(UNPACK, unpack, at=at)
        if killed:
            assert {**spoilt, **seen(place)} == seen(place), f"killed at {at}: something is gone"
            unpacked = at
            killing.run(UNPACK, unpack, at=0)
            killing.run(SWAP, swap, at=0)
        else:
            killed = killing.run(SWAP, swap, at=at - unpacked)
            if killed:
                killing.run(UNPACK, unpack, at=0)
                killing.run(SWAP, swap, at=0)
        assert seen(place) == expected, f"killed at {at}"
        if not killed:
            break
    assert unpacked > 5
    assert at - unpacked > 15, "it was killed often enough to mean something"


def test_another_backup_is_put_back_where_the_first_try_was_cut(
    tmp_path: Path, killing: Killing
) -> None:
    bench = Bench(tmp_path)
    place = bench.place()
    put(place, OLD)
    first = bench.backups.final(bench.context).path
    empty(place, but="")
    put(place, NEW)
    expected = seen(place)
    bench.next_visit()
    second = bench.backups.final(bench.context).path
    for at in range(1, 30):
        killing.run(UNPACK, [first, "one", str(place), ".", ""], at=0)
        killed = killing.run(SWAP, [str(place), ".", ""], at=at)
        killing.run(UNPACK, [second, "two", str(place), ".", ""], at=0)
        killing.run(SWAP, [str(place), ".", ""], at=0)
        assert seen(place) == expected, f"killed at {at}"
        if not killed:
            return
    pytest.fail("it never came to its end")


def test_an_emptied_volume_is_filled_by_the_next_try(tmp_path: Path, killing: Killing) -> None:
    bench = Bench(tmp_path)
    put(bench.place(), OLD)
    expected = seen(bench.place())
    path = bench.backups.final(bench.context).path
    words = [path, "sum", str(bench.place()), ".", ""]
    for at in range(1, 30):
        empty(bench.place(), but="")
        put(bench.place(), NEW)
        killed = killing.run(EMPTY, [str(bench.place()), ""], at=at)
        killing.run(EMPTY, [str(bench.place()), ""], at=0)
        killing.run(UNPACK, words, at=0)
        killing.run(SWAP, [str(bench.place()), ".", ""], at=0)
        assert seen(bench.place()) == expected, f"killed at {at}"
        if not killed:
            return
    pytest.fail("it never came to its end")


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MiB."""
    folder = tmp_path / "small"
    with small_disk(folder, mebibytes=4):
        yield folder


class TestRoom:
    def test_a_backup_without_room_fails_and_leaves_nothing_large(
        self, tmp_path: Path, small: Path
    ) -> None:
        bench = Bench(tmp_path, directory=small / "backups")
        (bench.place() / "large").write_bytes(os.urandom(6 * 2**20))
        assert any("backup room" in one.what and not one.ok for one in bench.backups.findings())
        with pytest.raises(OutOfSpace):
            bench.backups.final(bench.context)
        assert os.statvfs(small).f_bfree * os.statvfs(small).f_bsize > 3 * 2**20
        assert list((small / "backups").glob("upgrade-*")) == []

    def test_a_copy_of_a_database_without_room_fails_too(self, tmp_path: Path, small: Path) -> None:
        bench = Bench(tmp_path, directory=small / "backups")
        path = bench.place() / "large.sqlite3"
        subprocess.run(
            ["sqlite3", path, "CREATE TABLE a (b); INSERT INTO a VALUES (randomblob(6000000))"],
            check=True,
        )
        with pytest.raises((StepFailed, DeviceError)):
            bench.backups.live(bench.context)
        assert os.statvfs(small).f_bfree * os.statvfs(small).f_bsize > 3 * 2**20

    def test_a_rollback_without_room_for_both_empties_the_volume(
        self, tmp_path: Path, small: Path
    ) -> None:
        bench, path, before = self.filled(tmp_path, small)
        bench.backups.restore(bench.context, path)
        assert seen(bench.place()) == before
        assert any("is emptied" in text for text, _, _ in bench.journal.facts["notes"])

    def test_a_backup_that_was_ordered_never_does(self, tmp_path: Path, small: Path) -> None:
        bench, path, _ = self.filled(tmp_path, small)
        bench.plan = replace(bench.plan, data_from=path)
        now = seen(bench.place())
        with pytest.raises(OutOfSpace):
            bench.backups.restore(bench.context, path)
        assert seen(bench.place()) == now

    def filled(self, tmp_path: Path, small: Path) -> tuple[Bench, str, dict[str, str]]:
        """A backup of 2.5 MiB, and a volume of 4 MiB that is full of other things by now."""
        bench = Bench(tmp_path, places={"data": small / "data"})
        put(bench.place(), OLD)
        (bench.place() / "large").write_bytes(os.urandom(5 * 2**19))
        before = seen(bench.place())
        path = bench.backups.final(bench.context).path
        with (bench.place() / "grown").open("wb") as file, pytest.raises(OSError, match="space"):
            while True:
                file.write(bytes(2**16))
                file.flush()
        bench.next_visit()
        return bench, path, before


@pytest.fixture(scope="session")
def _busybox(docker_engine: RunningEngine) -> str:
    build_image(docker_engine, IMAGE, busybox_files(), dockerfile='CMD ["/bin/sleep", "999"]')
    return IMAGE


class TestInContainers:
    @pytest.fixture
    def bench(self, tmp_path: Path, docker_engine: RunningEngine, _busybox: str) -> Iterator[Bench]:
        """An application with a volume of the engine's, and a database beside it."""
        docker_engine.docker("volume", "create", "backup-data")
        where = docker_engine.docker(
            "volume", "inspect", "--format", "{{.Mountpoint}}", "backup-data"
        )
        for name, more in (("app", ("-v", "backup-data:/data")), ("database", ())):
            docker_engine.docker("run", "-d", "--init", "--name", f"backup-{name}", *more, IMAGE)
        engine = DockerEngine(UnixWay(str(docker_engine.socket)))
        bench = Bench(
            tmp_path,
            volumes=("backup-data",),
            engine=engine,
            places={"backup-data": Path(where)},
        )
        bench.plan = replace(bench.plan, containers=["backup-app"])
        yield bench
        engine.close()
        docker_engine.docker("rm", "-f", "backup-app", "backup-database")
        docker_engine.docker("volume", "rm", "backup-data")

    def test_the_hook_readies_what_is_copied(self, bench: Bench) -> None:
        bench.set(hook=["sh", "-c", "echo readied; echo dump >/data/dump"])
        written = bench.backups.live(bench.context)
        assert written is not None
        listed = subprocess.run(["tar", "tzf", written.path], capture_output=True, check=True)
        assert b"./dump" in listed.stdout.split()
        assert bench.journal.facts["output 0001-hook"] == b"readied\n"

    def test_a_hook_that_fails_fails_the_copy(self, bench: Bench) -> None:
        bench.set(hook=["sh", "-c", "echo cannot; exit 3"])
        with pytest.raises(StepFailed, match="ended with status 3") as raised:
            bench.backups.live(bench.context)
        assert raised.value.output == "cannot\n"
        assert not (bench.folder / "backups").exists()

    def test_what_was_dumped_is_put_back_by_its_command(
        self, bench: Bench, docker_engine: RunningEngine
    ) -> None:
        def said() -> str:
            return docker_engine.docker("exec", "backup-database", "cat", "/rows", "/dump")

        docker_engine.docker("exec", "backup-database", "sh", "-c", "echo rows >/rows; : >/dump")
        dump = DumpPlan(
            "backup-database",
            ["sh", "-c", "cat /rows; echo end"],
            "/dump",
            ["sh", "-c", "test -s /dump && cat /dump >/rows"],
        )
        bench.set(dumps=[dump])
        put(bench.place("backup-data"), OLD)
        before = seen(bench.place("backup-data"))
        for number, live in enumerate((False, True)):
            bench.moment = NOON + timedelta(minutes=number)
            written = (bench.backups.live if live else bench.backups.final)(bench.context)
            assert written is not None
            docker_engine.docker("exec", "backup-database", "sh", "-c", "echo other >/rows")
            put(bench.place("backup-data"), NEW)
            bench.next_visit()
            bench.backups.restore(bench.context, written.path)
            end = "end\n" * (number + 1)
            assert said() + "\n" == f"rows\n{end}", "and nothing of the dump lies about"
            assert seen(bench.place("backup-data")) == before
            bench.next_visit()

    def test_a_dump_that_fails_fails_the_copy(self, bench: Bench) -> None:
        command = ["sh", "-c", "echo half; echo lost it >&2; exit 4"]
        bench.set(dumps=[DumpPlan("backup-database", command, "/dump", ["true"])])
        with pytest.raises(StepFailed, match=r"could not be dumped.*lost it"):
            bench.backups.final(bench.context)
        assert list((bench.folder / "backups").glob("*.tar.gz")) == []

    def test_a_dump_that_cannot_be_put_back_says_what_its_command_said(self, bench: Bench) -> None:
        restore = ["sh", "-c", "echo no thanks; exit 5"]
        bench.set(dumps=[DumpPlan("backup-database", ["echo", "rows"], "/dump", restore)])
        path = bench.backups.final(bench.context).path
        bench.next_visit()
        with pytest.raises(StepFailed, match="ended with status 5") as raised:
            bench.backups.restore(bench.context, path)
        assert raised.value.output == "no thanks\n"


def test_what_follows_the_end_mark_of_a_copy_is_no_damage(tmp_path: Path) -> None:
    """tar reads no further than that; who writes to it must not break off for it."""
    name = "upgrade-backup-20261121_230000.tar.gz"
    part, place, dumps = tmp_path / f".{name}.part", tmp_path / "place", tmp_path / "dumps"
    part.mkdir()
    place.mkdir()
    with tarfile.open(part / "piece-0", "w") as tar:
        for member in (".fleetwright/backup.json", "./book", ".fleetwright/dumps/0"):
            tar.addfile(tarfile.TarInfo(member))
    (part / "produce.sh").write_text("head -c 50000000 /dev/zero\n")

    def run(script: str, *words: object) -> str:
        command = ["sh", "-c", script, "sh", *map(str, words)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        return f"{done.returncode} {done.stdout}{done.stderr}".strip()

    assert run(WRITE, tmp_path, name) == "0"
    assert run(UNPACK, tmp_path / name, "sum", place, ".", "") == "0"
    assert run(UNPACK_DUMPS, tmp_path / name, dumps) == "0"
    assert (place / ".upgrade-restore/new/book").is_file()
    assert (dumps / ".fleetwright/dumps/0").is_file()
