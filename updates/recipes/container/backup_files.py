"""The backups that lie in a directory of a device, whoever put them there."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from devices.drivers.commands import demand_success
from devices.drivers.shell import Shell
from devices.drivers.words import absolute
from devices.errors import UnsafeName
from updates.errors import BackupRefused
from updates.formats.backup_file import HEAD_BYTES, SUM, Manifest, backup_moment
from updates.recipes.container.backup_places import SHORT_SECONDS
from updates.recipes.container.backup_scripts import LIST, REMOVE

READ_SECONDS: Final = 60.0
MOST: Final = 1000
_ROW: Final = re.compile(r"(\S+) (\d+) (\d+) ([^/\n]+\.tar\.gz)")
_SUM: Final = re.compile(r"([0-9a-f]{64})\b", re.ASCII)
_UNZIP: Final = 'gzip -dc -- "$1" 2>/dev/null | head -c "$2"'


@dataclass(frozen=True, slots=True)
class FoundBackup:
    """A file that may be a backup. `size` is in bytes, `modified` in seconds since 1970; `manifest` None: it says nothing.

    `sha256` is what was written down with it, empty if nothing was.
    """

    path: str
    sha256: str
    size: int
    modified: int
    manifest: Manifest | None

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    def is_of(self, instance: str) -> bool:
        """Whether the portal made it for that instance, by its name and by what it says."""
        named = backup_moment(self.name) is not None
        return named and self.manifest is not None and self.manifest.instance == instance


class BackupFiles:
    """One directory. The newest files come first."""

    def __init__(self, shell: Shell, directory: str) -> None:
        self._shell = shell
        self._directory = absolute(directory)

    def path(self, name: str) -> str:
        """Where the backup of that name is."""
        if "/" in name or not name.endswith(".tar.gz"):
            raise UnsafeName(f"{name!r} cannot be the name of a backup.")
        return f"{self._directory}/{name}"

    def found(self) -> list[FoundBackup]:
        """What lies there; none where there is no such directory. Files of other kinds are left out."""
        command = ["sh", "-c", LIST, "sh", self._directory]
        said = demand_success(self._shell.run(command, limit_seconds=SHORT_SECONDS))
        rows = [found for line in said.splitlines()[:MOST] if (found := _ROW.fullmatch(line))]
        files = [
            FoundBackup(
                path=self.path(row[4]),
                sha256=row[1] if _SUM.fullmatch(row[1]) else "",
                size=int(row[2]),
                modified=int(row[3]),
                manifest=self.manifest(self.path(row[4])),
            )
            for row in rows
        ]
        return sorted(files, key=lambda file: (_age(file), file.name), reverse=True)

    def manifest(self, path: str) -> Manifest | None:
        """What the file says of itself; None where it says nothing that can be read."""
        command = ["sh", "-c", _UNZIP, "sh", absolute(path), str(HEAD_BYTES)]
        result = self._shell.run(command, limit_seconds=READ_SECONDS, keep_bytes=HEAD_BYTES)
        try:
            return Manifest.of_head(result.output)
        except BackupRefused:
            return None

    def size(self, path: str) -> int | None:
        """In bytes; None where there is no such file."""
        command = ["stat", "-c", "%s", "--", absolute(path)]
        result = self._shell.run(command, limit_seconds=SHORT_SECONDS)
        return int(result.output) if result.status == 0 else None

    def sum(self, path: str) -> str:
        """The SHA-256 that was written down with it; empty where none was."""
        command = ["head", "-c", "200", "--", f"{absolute(path)}{SUM}"]
        result = self._shell.run(command, limit_seconds=SHORT_SECONDS)
        found = _SUM.match(result.output.decode(errors="replace"))
        return found[1] if found and result.status == 0 else ""

    def remove(self, names: Sequence[str]) -> None:
        """These are gone, with their sums; not an error when they were before. So are copies that were never ended."""
        checked = [self.path(name).rpartition("/")[2] for name in names]
        command = ["sh", "-c", REMOVE, "sh", self._directory, *checked]
        demand_success(self._shell.run(command, limit_seconds=SHORT_SECONDS))


def _age(file: FoundBackup) -> float:
    moment = backup_moment(file.name)
    return moment.timestamp() if moment else float(file.modified)
