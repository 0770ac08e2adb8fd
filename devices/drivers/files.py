"""Files and facts of a device, with nothing but a shell there: Dropbear has no SFTP. One implementation for every Link."""

from __future__ import annotations

import contextlib
import re
import secrets
from collections.abc import Iterable, Iterator

from devices.drivers import commands
from devices.drivers.far_side import FLUSH
from devices.drivers.link import Link
from devices.drivers.words import absolute, shell_text
from devices.errors import CommandFailed, DeviceError, UnsafeName

# An input that ends because the connection broke looks like one that is whole. So the bytes are only counted here, and
# the name is given by a second command. When nobody listens to the count any more, nobody will send that one: clean up.
_RECEIVE = r"""
trap '' PIPE
mkdir -p -- "$1" && cat >"$2" && n=$(wc -c <"$2") && printf 'received %s\n' "$n" && exit 0
rm -f -- "$2"
exit 1
"""

_NAME = (
    FLUSH
    + r"""
if [ -d "$2" ]; then echo "$2 is a directory"; rm -f -- "$1"; exit 1; fi
chmod "$3" "$1" && flush "$1" && mv -f -- "$1" "$2" && flush "${2%/*}/" && exit 0
rm -f -- "$1"
exit 1
"""
)

_ROOM = r"""
p=$1
while [ ! -e "$p" ]; do p=${p%/*}; p=${p:-/}; done
df -P -k -- "$p"
"""

_ROOM_LINE = re.compile(r"\s(\d+)\s+(-?\d+)\s+(-?\d+)\s+(?:\d+%|-)\s+/")


def put_file(link: Link, path: str, chunks: Iterable[bytes], *, mode: int) -> int:
    """See `Shell.put_file`. Directories made on the way stay, also when the transfer fails."""
    path = absolute(path)
    folder, _, name = path.rpartition("/")
    if not name:
        raise UnsafeName("The root directory cannot be written as a file.")
    # Long names stay possible: the temporary one does not contain the final one.
    staged = f"{folder}/.fleetwright-{secrets.token_hex(8)}.part"
    counted = Counted(chunks)
    try:
        said = commands.ask(
            link, ["sh", "-c", _RECEIVE, "sh", folder or "/", staged], input_=counted
        )
    except BaseException:
        discard(link, staged)
        raise
    if said.split()[-2:] != ["received", str(counted.size)]:
        discard(link, staged)
        raise CommandFailed(
            f"The device holds {said.split()[-1:]} of {counted.size} bytes sent for {path}.",
            status=0,
            output=said[-2048:],
        )
    commands.ask(link, ["sh", "-c", _NAME, "sh", staged, path, f"{mode & 0o7777:o}"])
    return counted.size


class Counted:
    """Chunks that pass through, and how many bytes they were."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = chunks
        self.size = 0

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            self.size += len(chunk)
            yield chunk


def get_file(link: Link, path: str) -> Iterator[bytes]:
    """See `Shell.get_file`."""
    return commands.read(link, shell_text(["cat", "--", absolute(path)], env={"LC_ALL": "C"}))


def remove_tree(link: Link, path: str) -> None:
    """See `Shell.remove_tree`."""
    path = absolute(path)
    if path == "/":
        raise UnsafeName("The root directory is never removed.")
    commands.ask(link, ["rm", "-rf", "--", path])


def discard(link: Link, path: str) -> None:
    """Nothing is at `path`, if the device can be asked. Never raises for the device: what led here matters more."""
    with contextlib.suppress(DeviceError):
        commands.ask(link, ["rm", "-rf", "--", path])


def free_bytes(link: Link, path: str) -> int:
    """See `Shell.free_bytes`."""
    said = commands.ask(link, ["sh", "-c", _ROOM, "sh", absolute(path)])
    found = _ROOM_LINE.search(said)
    if found is None:
        raise CommandFailed("The device's df cannot be understood.", status=0, output=said[-2048:])
    return max(int(found[3]), 0) * 1024


def boot_id(link: Link, path: str) -> str:
    """The one word that the file at `path` holds."""
    word = commands.ask(link, ["cat", "--", absolute(path)]).strip()
    if not word:
        raise CommandFailed(f"The device's {path} is empty.", status=0)
    return word
