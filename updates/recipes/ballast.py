"""Room on the device that an upgrade puts aside, for its way back to have: a disk may fill up in the middle."""

from __future__ import annotations

from typing import Final

from devices.drivers.commands import demand_success
from devices.drivers.shell import Shell
from updates.recipes.patience import patiently
from updates.runner import Context

BYTES: Final = 4 * 2**20
"""More than what the steps of a way back write down of themselves."""
LAY_SECONDS: Final = 60.0

# $1 the file, $2 its size: written once.
_LAY: Final = """\
umask 077
mkdir -p -- "${1%/*}" || exit 1
[ "$(wc -c <"$1" 2>/dev/null)" = "$2" ] || head -c "$2" /dev/zero >"$1"
"""


class Ballast:
    """A file below the folder of one upgrade, where its steps are written down, too."""

    def __init__(self, shell: Shell, folder: str) -> None:
        self._shell = shell
        self._path = f"{folder}/ballast"

    def lay(self, context: Context) -> None:
        """The room is put aside. CommandFailed when there is none."""
        command = ["sh", "-c", _LAY, "sh", self._path, str(BYTES)]
        result = patiently(
            context, self._shell, lambda: self._shell.run(command, limit_seconds=LAY_SECONDS)
        )
        demand_success(result)

    def drop(self, context: Context) -> None:
        """The room is free."""
        patiently(context, self._shell, lambda: self._shell.remove_tree(self._path))
