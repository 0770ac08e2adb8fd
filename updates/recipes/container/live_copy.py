"""Runs on a device: writes the contents of directories to standard output as a tar, while programs go on changing them.

Every SQLite database stands in the tar as SQLite's own backup copies it, in one piece: with WAL its writers go on meanwhile, else
they wait. Its journals are left out. Any other file is copied as it is then. Needs Python 3.7 and its standard library.

The argument is a file of JSON: {"scratch": a directory of ours, "left_out": [absolute paths], "parts": [{"place", "prefix"}]},
where each part is a directory and the prefix below which it is in the tar.
"""

import json
import os
import sqlite3
import stat
import sys
import tarfile
from typing import IO, AbstractSet, Optional
from urllib.parse import quote

HEADER = b"SQLite format 3\0"
JOURNALS = ("-wal", "-shm", "-journal")
BUSY_SECONDS = 60


class Padded:
    """Reads exactly `size` bytes, whatever becomes of the file meanwhile: what is missing at its end are zeros."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file = file
        self._left = size

    def read(self, size: int) -> bytes:
        size = min(size, self._left)
        self._left -= size
        data = self._file.read(size)
        return data + bytes(size - len(data))


class Copy:
    """Writes into `tar`; `scratch` is a directory for one database at a time."""

    def __init__(self, tar: tarfile.TarFile, scratch: str, left_out: AbstractSet[str]) -> None:
        self._tar = tar
        self._scratch = os.path.join(scratch, "database")
        self._left_out = left_out

    def directory(self, path: str, name: str, *, is_top: bool = False) -> None:
        """It is in the tar under that name, with all below it but what is the portal's own at the top."""
        self._entry(path, name)
        try:
            children = sorted(os.listdir(path))
        except FileNotFoundError:
            return
        databases = {one for one in children if is_database(os.path.join(path, one))}
        journals = {one + ending for one in databases for ending in JOURNALS}
        for child in children:
            below, below_name = os.path.join(path, child), name + "/" + child
            if child in journals or below in self._left_out or (is_top and is_ours(child)):
                continue
            if child in databases and self._database(below, below_name):
                continue
            if os.path.isdir(below) and not os.path.islink(below):
                self.directory(below, below_name)
            else:
                self._entry(below, below_name)

    def _entry(self, path: str, name: str) -> None:
        try:
            info = self._info(path, name)
            if info is not None and info.isreg():
                with open(path, "rb") as file:
                    info.size = os.fstat(file.fileno()).st_size
                    self._tar.addfile(info, Padded(file, info.size))  # type: ignore[arg-type]
            elif info is not None:
                self._tar.addfile(info)
        except FileNotFoundError:
            print(f"{path!r} is not there any more.", file=sys.stderr)

    def _info(self, path: str, name: str) -> Optional[tarfile.TarInfo]:
        info = self._tar.gettarinfo(path, name)
        if info is not None:  # type stubs do not know that it is None for a socket
            info.uname = info.gname = (
                ""  # ids count: the names are this system's, not the container's
            )
        return info

    def _database(self, path: str, name: str) -> bool:
        """Whether nothing more is to be done about it. One that SQLite cannot read is a file like others."""
        try:
            self._back_up(path)
            info = self._tar.gettarinfo(path, name)
        except sqlite3.OperationalError as error:
            if not os.path.lexists(path):
                return True
            raise SystemExit(f"The database {path!r} cannot be copied: {error}") from None
        except sqlite3.DatabaseError as error:
            print(f"{path!r} is no database that SQLite can read: {error}", file=sys.stderr)
            return False
        except FileNotFoundError:
            return True
        info.uname = info.gname = info.linkname = ""
        info.type = tarfile.REGTYPE
        with open(self._scratch, "rb") as copied:
            info.size = os.fstat(copied.fileno()).st_size
            self._tar.addfile(info, copied)
        os.unlink(self._scratch)
        return True

    def _back_up(self, path: str) -> None:
        if os.path.exists(self._scratch):
            os.unlink(self._scratch)
        address = f"file:{quote(os.fsencode(path))}?mode=rw"
        source = sqlite3.connect(address, uri=True, timeout=BUSY_SECONDS)
        target = sqlite3.connect(self._scratch)
        try:
            # All in one step: between two of them a writer would have it begun anew, without an end.
            source.backup(target, pages=-1)
        finally:
            target.close()
            source.close()


def is_database(path: str) -> bool:
    """Whether it is a file that begins as SQLite's do."""
    try:
        if not stat.S_ISREG(os.lstat(path).st_mode):
            return False
        with open(path, "rb") as file:
            return file.read(len(HEADER)) == HEADER
    except FileNotFoundError:
        return False


def is_ours(name: str) -> bool:
    """As `is_ours` in updates/formats/backup_file.py, which is not on the device."""
    return name == ".fleetwright" or name.startswith(".upgrade-")


def main() -> None:
    with open(sys.argv[1], encoding="utf-8") as file:
        wanted = json.load(file)
    os.umask(0o077)
    with tarfile.open(
        fileobj=sys.stdout.buffer,
        mode="w|",
        format=tarfile.GNU_FORMAT,
        encoding="utf-8",
        errors="surrogateescape",
    ) as tar:
        copy = Copy(tar, wanted["scratch"], set(wanted["left_out"]))
        for part in wanted["parts"]:
            copy.directory(part["place"], part["prefix"], is_top=True)


if __name__ == "__main__":
    main()
