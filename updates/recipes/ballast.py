"""Room on the device that an upgrade puts aside, for its way back to have: a disk may fill up at any moment, also in the
middle of that."""

from __future__ import annotations

from typing import Final

from devices.drivers.commands import demand_success
from devices.drivers.shell import Shell
from updates.machine import State
from updates.recipes.patience import patiently
from updates.runner import Context

BYTES: Final = 4 * 2**20
"""More than what a step of a way back writes down of itself."""
WRITING: Final = (State.ROLLING_BACK, State.ROLLBACK_RESTARTING)
"""The states of a way back in which that is done; each finds room of its own."""
LAY_SECONDS: Final = 60.0

# $1 the file, $2 its size: written once.
_LAY: Final = """\
umask 077
mkdir -p -- "${1%/*}" || exit 1
[ "$(wc -c <"$1" 2>/dev/null)" = "$2" ] || head -c "$2" /dev/zero >"$1"
"""


class Ballast:
    """Files below the folder of one upgrade, where its steps are written down, too: one for each state of the way back."""

    def __init__(self, shell: Shell, folder: str) -> None:
        self._shell = shell
        self._folder = f"{folder}/ballast"

    def lay(self, context: Context) -> None:
        """The room is put aside. CommandFailed when there is none."""
        for state in WRITING:
            command = ["sh", "-c", _LAY, "sh", self._path(state), str(BYTES)]
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
