"""A database that is written to all the time: its backups hold it whole, at one moment."""

from __future__ import annotations

import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from tests.containers import sqlite_writer
from tests.containers.backup_bench import NOON, Bench

MODES = ("wal", "delete")


@pytest.fixture(params=MODES)
def writer(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that writes into the volume's `db/app.sqlite3` all the time."""
    folder = tmp_path / "volumes/data/_data/db"
    folder.mkdir(parents=True)
    command = [sys.executable, sqlite_writer.__file__, str(folder / "app.sqlite3"), request.param]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "writing\n"
        yield process
        process.kill()


def newest(path: Path) -> int:
    """The newest row; the database is whole, and of every pair both sides are there."""
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        odd = "SELECT number FROM pairs GROUP BY number HAVING count(*) != 2"
        assert connection.execute(odd).fetchall() == []
        return int(connection.execute("SELECT max(number) FROM pairs").fetchone()[0])


def test_a_live_copy_of_it_is_whole(tmp_path: Path, writer: subprocess.Popen[str]) -> None:
    bench = Bench(tmp_path)
    numbers = []
    for number in range(3):
        bench.moment = NOON + timedelta(minutes=number)
        bench.next_visit()
        before = newest(bench.place() / "db/app.sqlite3")
        written = bench.backups.live(bench.context)
        assert written is not None
        unpacked = tmp_path / f"unpacked{number}"
        unpacked.mkdir()
        subprocess.run(["tar", "xzf", written.path], cwd=unpacked, check=True)
        assert {path.name for path in (unpacked / "db").iterdir()} == {"app.sqlite3"}
        numbers.append(newest(unpacked / "db/app.sqlite3"))
        assert numbers[-1] >= before
    assert writer.poll() is None, "the program goes on writing"
    assert numbers == sorted(numbers)
    assert numbers[0] < numbers[-1], "it was written to meanwhile"


def test_the_final_copy_is_put_back_after_more_was_written(
    tmp_path: Path, writer: subprocess.Popen[str]
) -> None:
    bench = Bench(tmp_path)
    # Killed, so that a journal or a WAL lies there: a copy of both is as good as the program's own start.
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    copied = tmp_path / "copied"
    shutil.copytree(bench.place() / "db", copied)
    expected = newest(copied / "app.sqlite3")
    written = bench.backups.final(bench.context)
    with closing(sqlite3.connect(bench.place() / "db/app.sqlite3")) as connection:
        connection.execute("DROP TABLE pairs")
        connection.execute("CREATE TABLE migrated (x)")
        connection.commit()
    bench.next_visit()
    bench.backups.restore(bench.context, written.path)
    assert newest(bench.place() / "db/app.sqlite3") == expected


def test_a_live_copy_is_put_back_without_journals_of_later(
    tmp_path: Path, writer: subprocess.Popen[str]
) -> None:
    bench = Bench(tmp_path)
    written = bench.backups.live(bench.context)
    assert written is not None
    time.sleep(0.3)
    writer.kill()
    writer.wait()
    bench.next_visit()
    bench.backups.restore(bench.context, written.path)
    assert {path.name for path in (bench.place() / "db").iterdir()} == {"app.sqlite3"}
    assert newest(bench.place() / "db/app.sqlite3") > 0


def test_what_only_looks_like_a_database_is_copied_as_it_is(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    content = b"SQLite format 3\0" + b"but then something else" * 100
    (bench.place() / "odd.db").write_bytes(content)
    (bench.place() / "odd.db-journal").write_bytes(b"not SQLite's")
    written = bench.backups.live(bench.context)
    assert written is not None
    bench.next_visit()
    (bench.place() / "odd.db").unlink()
    bench.backups.restore(bench.context, written.path)
    assert (bench.place() / "odd.db").read_bytes() == content


def test_the_owner_of_a_database_stays_the_owner_of_its_files(tmp_path: Path) -> None:
    """Whoever copies it as root must not leave files of root's beside it."""
    bench = Bench(tmp_path)
    path = bench.place() / "app.sqlite3"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=wal")
        connection.execute("CREATE TABLE a (b)")
    shutil.chown(path, 4242, 4242)
    assert bench.backups.live(bench.context) is not None
    assert {one.stat().st_uid for one in bench.place().iterdir()} == {4242}
