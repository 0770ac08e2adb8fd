"""Whether data can be backed up, and put back, found out by looking: nothing is made, nothing is written."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

from devices.drivers.commands import demand_success
from devices.drivers.shell import Shell
from devices.errors import CommandFailed, CommandTimedOut, DeviceError, DeviceUnreachable
from updates.errors import BackupRefused
from updates.plan import ContainerPlan
from updates.recipes.container.backup_places import SHORT_SECONDS, Place, places
from updates.recipes.container.data_places import called, is_folder
from updates.recipes.finding import Finding

NEEDED_COMMANDS: Final = (
    "cat", "chmod", "chown", "df", "du", "find", "grep", "gzip", "head", "id", "ln", "mkdir", "mv", "rm", "sed", "sha256sum",
    "stat", "sync", "tar", "touch",
)  # fmt: skip
MEASURE_SECONDS: Final = 900.0
IN_PASSING_SECONDS: Final = 30.0
"""So long it is measured by whoever has other things to do."""
_MOUNTS: Final = "/proc/self/mounts"
_LIVE: Final = "import sqlite3, tarfile; sqlite3.Connection.backup"

# $1 the directory: it, or the nearest above it that is there, is a directory in which something can be written.
_WRITABLE: Final = r"""
path=$1
while [ ! -e "$path" ] && [ ! -L "$path" ]; do path=${path%/*}; path=${path:-/}; done
[ -d "$path" ] && [ -w "$path" ]
"""
# The device number of each, or of the nearest directory above it that is there.
_FILE_SYSTEMS: Final = r"""
for path; do
  while [ ! -e "$path" ]; do path=${path%/*}; path=${path:-/}; done
  stat -c %d -- "$path" || exit 1
done
"""


class BackupFit:
    """Looks at one plan's backups."""

    def __init__(
        self, plan: ContainerPlan, shell: Shell, *, place_of: Callable[[str], str]
    ) -> None:
        self._plan = plan
        self._shell = shell
        self._place_of = place_of

    def findings(self, *, in_passing: bool = False) -> Iterator[Finding]:
        """A finding for each thing that a backup needs; what takes longest comes last.

        `in_passing`: what cannot be measured soon is told, and hinders nothing.
        """
        yield self._commands()
        directory = self._plan.backup.directory
        if self._fails(["sh", "-c", _WRITABLE, "sh", directory]):
            says = f"Backups cannot be written to {directory}: nobody may write there, or it is no directory."
            yield Finding("backup directory", ok=False, says=says)
            return
        try:
            found = self._places()
        except DeviceUnreachable:
            raise
        except (BackupRefused, DeviceError) as error:
            yield Finding("backup directory", ok=False, says=str(error))
            return
        yield Finding("backup directory", ok=True, says=f"Backups are written to {directory}.")
        unseen = [one for one in found if self._fails(["test", "-d", one.path])]
        for place in unseen:
            says = f"The device's shell does not see {called(place.volume)}: there is no directory {place.path}."
            yield Finding("volume", ok=False, says=says)
        yield from self._mounted_below(found)
        yield self._live(found)
        if not unseen:
            yield from self._room(found, in_passing=in_passing)

    def _live(self, found: list[Place]) -> Finding:
        backup = self._plan.backup
        if not found and not backup.dumps:
            says = "No data is named: the backup will be empty."
            return Finding("live copy", ok=True, says=says, warns=True)
        held = [called(place.volume) for place in found]
        held += [f"the dump of {dump.container}" for dump in backup.dumps]
        says = self.no_live() or f"Data can be copied live: {', '.join(held)}."
        return Finding("live copy", ok=True, says=says)

    def _mounted_below(self, found: list[Place]) -> Iterator[Finding]:
        """What is put back takes the place of what is there, and a file system that is mounted cannot be moved away."""
        if not any(is_folder(place.volume) for place in found):
            return
        said = demand_success(self._shell.run(["cat", _MOUNTS], limit_seconds=SHORT_SECONDS))
        mounted = {_unescaped(line.split(" ")[1]) for line in said.splitlines()}
        for place in found:
            below = sorted(one for one in mounted if one.startswith(f"{place.path}/"))
            if is_folder(place.volume) and below:
                says = f"{place.volume} cannot be backed up: a file system is mounted at {below[0]}. Name folders beside it."
                yield Finding("volume", ok=False, says=says)

    def no_live(self) -> str:
        """Why no copy can be made while the containers run; empty when one can."""
        if self._plan.backup.hook or not self._fails(["python3", "-c", _LIVE]):
            return ""
        return (
            "There is no copy while it runs: that needs a hook, or python3 with sqlite3 on the device. "
            "The one after the stop is made all the same."
        )

    def has_program(self) -> bool:
        """Whether our own program can copy there."""
        return not self._fails(["python3", "-c", _LIVE])

    def _places(self) -> list[Place]:
        backup = self._plan.backup
        return places(
            self._shell, backup.volumes, place_of=self._place_of, directory=backup.directory
        )

    def _fails(self, command: list[str]) -> bool:
        return self._shell.run(command, limit_seconds=SHORT_SECONDS).status != 0

    def _commands(self) -> Finding:
        script = 'for word; do command -v "$word" >/dev/null || echo "$word"; done'
        command = ["sh", "-c", script, "sh", *NEEDED_COMMANDS]
        result = self._shell.run(command, limit_seconds=SHORT_SECONDS)
        missing = result.output.decode(errors="replace").split()
        says = f"The device lacks {', '.join(missing)}." if missing else "It has what we need."
        return Finding("commands", ok=not missing, says=says)

    def _room(self, found: list[Place], *, in_passing: bool) -> Iterator[Finding]:
        """A copy may be as large as the data; putting it back takes as much again beside the data."""
        directory = self._plan.backup.directory
        try:
            limit = IN_PASSING_SECONDS if in_passing else MEASURE_SECONDS
            sizes = [self._data_bytes(place, limit) for place in found]
            numbers = self._file_systems([directory, *(place.path for place in found)])
        except CommandTimedOut:
            if not in_passing:
                raise
            says = "The data is too large to be measured in passing: the upgrade itself sees whether there is room for a backup."
            yield Finding("backup room", ok=True, says=says, warns=True)
            return
        except CommandFailed as error:
            yield Finding("backup room", ok=False, says=f"The data cannot be measured. {error}")
            return
        needs = {numbers[0]: (directory, sum(sizes) + self._plan.min_free_bytes)}
        for place, size, number in zip(found, sizes, numbers[1:], strict=True):
            path, needed = needs.get(number, (place.path, 0))
            needs[number] = (path, needed + size)
        for path, needed in needs.values():
            free = self._shell.free_bytes(path)
            says = f"{path} needs {_mib(needed)} MiB for a backup and its way back, and has {_mib(free)} MiB free."
            yield Finding("backup room", ok=free >= needed, says=says)

    def _data_bytes(self, place: Place, limit_seconds: float) -> int:
        total = self._du(place.path, limit_seconds)
        if not place.walked:
            return total
        return total - self._du(place.below(place.walked[-1]), limit_seconds)

    def _du(self, path: str, limit_seconds: float) -> int:
        if self._fails(["test", "-d", path]):
            return 0
        result = self._shell.run(["du", "-sk", path], limit_seconds=limit_seconds)
        # 1: something went away meanwhile, which matters to nobody.
        said = demand_success(result) if result.status > 1 else result.output.decode()
        return int(said.strip().rpartition("\n")[2].split()[0]) * 1024

    def _file_systems(self, paths: list[str]) -> list[str]:
        command = ["sh", "-c", _FILE_SYSTEMS, "sh", *paths]
        return demand_success(self._shell.run(command, limit_seconds=SHORT_SECONDS)).split()


def _unescaped(path: str) -> str:
    """As the kernel writes paths of mounts: blanks and the like as octal numbers."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), path)


def _mib(size: int) -> int:
    return size // 2**20
