"""The Shell protocol: what every way to a device's command line promises. One conformance suite holds all of them to it.

A Shell is one connection's worth of access to one device. It is used by one thread at a time, opened lazily, and closed
by `close()` (or by leaving its `with` block); a closed Shell opens again when it is used.

Promises of every implementation
  * Commands are lists of words. No word is ever read by a shell on the way, whatever it holds.
  * A status that is not 0 is an answer, not an error: `run` returns it.
  * A command leads a session of its own. Still running at its time limit it is killed with that whole session (TERM, after
    `kill_after_seconds` KILL), and `CommandTimedOut` is raised: no process of it is left. Whatever a command that ended
    leaves behind in its session is killed too; a daemon that made a session of its own (setsid) goes on, and should not
    hold the command's output.
  * A program or directory that is not there is status 127, a program that cannot be executed 126, as a shell says it.
  * Any status over 128 is read as a death by signal, for that is all that a shell can tell.
  * Only errors of `devices.errors` are raised for what a device does or fails to do. A connection that breaks is
    `DeviceUnreachable`, never a result. Paths and words that must not reach a device are `UnsafeName`.
  * Transfers stream: memory does not grow with the size. A file appears under its name only when it is whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

OnOutput = Callable[[bytes], None]
"""Called with each piece of output as it comes (stdout and stderr in the order of arrival). What it raises ends the
command (killed like at a time limit) and comes out of the call unchanged: that is how a cancel reaches a running command."""

OnTick = Callable[[], None]
"""Called at least once a second while we wait. What it raises ends the command too, and comes out unchanged."""


@dataclass(frozen=True, slots=True)
class Result:
    """How a command ended: its exit status (negative: killed by that signal), and the last `keep_bytes` of what it wrote."""

    status: int
    output: bytes


@dataclass(frozen=True, slots=True)
class TreeFile:
    """One entry of a tree on its way to or from a device. `path` is relative, with `/`, without `..`.

    A directory has no chunks and no link target; a symbolic link has only `link`. A file has chunks, and `size` says
    how many bytes they are.
    """

    path: str
    mode: int
    chunks: Iterable[bytes] | None = None
    link: str | None = None
    size: int = 0


class Shell(Protocol):
    """Access to one device's command line and files. See the module's docstring for what holds for all methods."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """As `close`."""
        ...

    def run(  # noqa: PLR0913 - the one call that everything else is a case of
        self,
        command: Sequence[str],
        *,
        limit_seconds: float,
        stdin: Iterable[bytes] | None = None,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        on_output: OnOutput | None = None,
        on_tick: OnTick | None = None,
        keep_bytes: int = 65536,
    ) -> Result:
        """The command has ended; nothing of it runs any more. `env` adds to the login's, `cwd` is the home if None."""
        ...

    def put_file(self, path: str, chunks: Iterable[bytes], *, mode: int = 0o644) -> int:
        """The file is at `path`, whole, synced, with `mode`; its parent directories exist. Returns its size in bytes.

        Until then whatever was there before stays. When `chunks` raises, nothing is left behind but those directories.
        """
        ...

    def get_file(self, path: str) -> Iterator[bytes]:
        """The bytes of a file, in pieces. A missing file is `CommandFailed`."""
        ...

    def put_tree(self, path: str, entries: Iterable[TreeFile]) -> int:
        """Every entry is below the directory `path` (made if need be), with its mode; links are links. Bytes written.

        Nothing appears there before all of it has come whole. What was there stays unless an entry takes its place; a
        directory is never replaced by something else.
        """
        ...

    def get_tree(self, path: str) -> Iterator[TreeFile]:
        """The entries below `path`, parents first, each with mode and link target. Read each entry's chunks before the next.

        Sockets, pipes and device files are left out.
        """
        ...

    def remove_tree(self, path: str) -> None:
        """Nothing is at `path` any more. Not an error when nothing was. Refuses `/` and any relative path."""
        ...

    def free_bytes(self, path: str) -> int:
        """Room for an ordinary user on the file system that holds `path` (or its nearest existing parent)."""
        ...

    def boot_id(self) -> str:
        """A word that stays the same until the device boots again (Linux: /proc/sys/kernel/random/boot_id)."""
        ...

    def reboot(self, *, limit_seconds: float, on_tick: OnTick | None = None) -> None:
        """The device has been rebooted and answers again: its boot id is another one. Past the limit: `DeviceUnreachable`.

        `on_tick` is heard from the beginning, also while the command to reboot runs; what it raises ends that.
        """
        ...

    def close(self) -> None:
        """Nothing of this connection is open any more. Detached steps go on."""
        ...
