"""Room on the device that an upgrade puts aside, for its way back to have: a disk may fill up at any moment, also in the
middle of that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from devices.drivers.commands import demand_success
from devices.drivers.shell import Shell
from updates.machine import State
from updates.recipes.patience import patiently
from updates.runner import Context

LAY_SECONDS: Final = 60.0

# $1 the file, $2 its size: written once, with what no file system can squeeze.
_LAY: Final = """\
umask 077
mkdir -p -- "${1%/*}" || exit 1
[ "$(wc -c <"$1" 2>/dev/null)" = "$2" ] || head -c "$2" /dev/urandom >"$1"
"""


class Ballast:
    """Files below the folder of one upgrade, where its steps are written down, too.

    `room` has the states that are to find room of their own, and how many bytes: more than what their steps write down of
    themselves.
    """

    def __init__(self, shell: Shell, folder: str, *, room: Mapping[State, int]) -> None:
        self._shell = shell
        self._room = room
        self._folder = f"{folder}/ballast"

    def lay(self, context: Context) -> None:
        """The room is put aside. CommandFailed when there is none."""
        for state, size in self._room.items():
            command = ["sh", "-c", _LAY, "sh", self._path(state), str(size)]
            result = patiently(
                context,
                self._shell,
                lambda: self._shell.run(command, limit_seconds=LAY_SECONDS),  # noqa: B023 - called at once
            )
            demand_success(result)

    def drop(self, context: Context, state: State) -> None:
        """The room that was kept for the state is free."""
        patiently(context, self._shell, lambda: self._shell.remove_tree(self._path(state)))

    def _path(self, state: State) -> str:
        return f"{self._folder}/{state}"
