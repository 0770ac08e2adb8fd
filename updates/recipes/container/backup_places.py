"""Where on the device a backup's data are: each volume's directory, and what of it is no data because backups lie there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from devices.drivers.commands import demand_success
from devices.drivers.shell import Shell
from devices.drivers.words import absolute
from updates.errors import BackupRefused
from updates.formats.backup_file import Directory, is_ours, prefixes
from updates.recipes.container.backup_scripts import RESOLVE
from updates.recipes.container.data_places import called

SHORT_SECONDS: Final = 60.0
MOST_NAMES_BYTES: Final = 64 * 2**20
_TOP: Final = "."


@dataclass(frozen=True, slots=True)
class Place:
    """A volume's directory, links resolved, and below which `prefix` it is in a backup.

    `walked` are the directories on the way to the backups that lie in the volume, as `./…` from the top, then the backups'
    own; empty where none do. All but the last are copied and put back entry by entry.
    """

    volume: str
    path: str
    prefix: str
    walked: tuple[str, ...] = ()

    @property
    def on_the_way(self) -> tuple[str, ...]:
        """The directories that are not copied as wholes, the top first."""
        return (_TOP, *self.walked[:-1])

    def below(self, way: str) -> str:
        """The absolute path of `./…`."""
        return self.path + way[1:]

    def member(self, path: str) -> str:
        """What something in the directory is named in a backup."""
        return self.prefix + path[len(self.path) :]

    def is_data(self, path: str) -> bool:
        """Whether that entry of a directory on the way is to be copied as a whole."""
        way = f"{_TOP}{path[len(self.path) :]}"
        return way not in self.walked and not ("/" not in way[2:] and is_ours(way[2:]))


def resolved(shell: Shell, path: str) -> str:
    """The path without symbolic links, as far as it is there."""
    command = ["sh", "-c", RESOLVE, "sh", absolute(path)]
    return demand_success(shell.run(command, limit_seconds=SHORT_SECONDS))


def places(
    shell: Shell, volumes: Sequence[str], *, place_of: Callable[[str], str], directory: str
) -> list[Place]:
    """Of each volume. `directory` is where backups lie. BackupRefused when a volume would lie in there."""
    home = resolved(shell, directory)
    found = []
    for volume, prefix in prefixes(list(volumes)).items():
        path = resolved(shell, place_of(volume))
        if f"{path}/".startswith(f"{home}/") or home == "/":
            raise BackupRefused(
                f"Backups cannot lie in {directory}: {called(volume)} is there. Choose a directory of their own."
            )
        parts = home[len(path) + 1 :].split("/") if home.startswith(f"{path}/") else []
        walked = tuple("/".join((_TOP, *parts[: n + 1])) for n in range(len(parts)))
        found.append(Place(volume, path, prefix, walked))
    return found


def directories(shell: Shell, place: Place) -> list[Directory]:
    """Those on the way, as a backup has them."""
    paths = [place.below(way) for way in place.on_the_way]
    command = ["stat", "-c", "%a %u %g %Y", "--", *paths]
    said = demand_success(shell.run(command, limit_seconds=SHORT_SECONDS)).splitlines()
    rows = [line.split() for line in said]
    return [
        Directory(place.member(path), int(mode, 8), int(uid), int(gid), int(mtime))
        for path, (mode, uid, gid, mtime) in zip(paths, rows, strict=True)
    ]


def entries(shell: Shell, place: Place) -> list[str]:
    """The absolute paths of what is copied as a whole, in the order of their names."""
    starts = [place.below(way) for way in place.on_the_way]
    command = ["find", *starts, *("-mindepth", "1", "-maxdepth", "1"), "!", "-type", "s", "-print0"]
    result = shell.run(command, limit_seconds=SHORT_SECONDS, keep_bytes=MOST_NAMES_BYTES)
    names = demand_success(result).split("\0")[:-1]
    return sorted(path for path in names if place.is_data(path))
