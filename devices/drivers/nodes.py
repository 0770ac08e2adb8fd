"""The NodeRuntime protocol: what every way into a running process promises. One conformance suite holds all of them to it.

A node is a running process that patches are loaded into: an Erlang node, a Python process. A NodeRuntime is the portal's
access to one of them. It is used by one thread at a time, opens a connection for each call and keeps none.

Paths are relative to the node's root, the folder of the system that runs there, with `/`, and without `..`. A file in a
folder that the node loads code from is a module; any other one is an assembly: copied, kept and restored, but never loaded.

Promises of every implementation
  * `inspect`, `check` and `keep` change nothing that runs and nothing on the disk. `check` loads nothing; it lets the
    node itself validate the new code.
  * Trouble with the node is an answer, never an error: `is_reachable` is False, `reason` says why. Only a programmer's
    mistake raises.
  * Nothing is OK before the node was asked afterwards and said so.
  * `apply` is safe to repeat. A repeat of what is in place is NOT_CHANGED.
  * `apply` writes every new file beside the old one, then loads, then verifies, then renames: a node that dies in the
    middle has old files or new ones, each whole. What was written beside is gone when it returns.
  * `apply` never ends a process that runs older code. A module that only a restart can bring in (processes or frames in
    older code, a change of shape) is NOT_UPDATED, and its file is in place (`is_written`), so that a restart completes it. A
    module whose new code itself fails at its load, or does not come back, is NOT_UPDATED too, and its file stays as it was.
  * A file that is refused (ERROR, NOT_BEAM, WRONG_PATH) changes nothing; the others of the same call are applied. Whether
    that is wanted is for the caller to decide, by `check` before and `keep` for afterwards.
  * A module that is not loaded is written, and stays unloaded.
  * Who may act is decided on the node: it keeps the highest fence that it has seen for an upgrade, and refuses lower ones
    with the reason STALE. It keeps it in memory: a node that was restarted knows nothing of what was before.
  * Secrets of the connection appear in no message, argument of a process, or log.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Final, Protocol

CONNECT_SECONDS: Final = 5.0
INSPECT_SECONDS: Final = 5.0
CHECK_SECONDS: Final = 30.0
APPLY_SECONDS: Final = 60.0
ON_LOAD_SECONDS: Final = 5.0
"""Time limits of one call: of connecting and authenticating, of each operation, of one module's own code at its load."""


class Status(IntEnum):
    """What became of a module, or would. The codes and their order are those of the hot-patch document: smaller is worse."""

    ERROR = 1
    NOT_BEAM = 2
    WRONG_PATH = 3
    NOT_UPDATED = 4
    NOT_CHANGED = 5
    OK = 6
    NOT_LOADED = 7


REFUSED: Final = frozenset({Status.ERROR, Status.NOT_BEAM, Status.WRONG_PATH})


def integral(statuses: Iterable[Status | None]) -> Status | None:
    """The status of many: the smallest code. None if there is none, as for a patch of assemblies alone."""
    return min((status for status in statuses if status is not None), default=None)


class Trouble(StrEnum):
    """Why a node gave no answer.

    After TIMED_OUT and DIED of an `apply` nobody knows what was done: inspect before anything else.
    """

    UNREACHABLE = "unreachable"  # no host, no port, no such node, nobody answers
    REFUSED = "refused"  # the node does not take our secret
    TIMED_OUT = "timed_out"
    DIED = "died"  # the connection closed during the call
    STALE = "stale"  # a newer holder of the upgrade has been here
    PROTOCOL = "protocol"  # it answers, but not what we understand


@dataclass(frozen=True, slots=True)
class PatchFile:
    """One file of a patch. `data` None: it is to be removed, and its module unloaded, as the way back of a new file."""

    path: str
    data: bytes | None = field(repr=False)
    mode: int = 0o644


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a node says of the module at `path`. `version` is that of the loaded code, `disk_version` that of its file.

    A version is the runtime's own digest of code, hexadecimal: comments and line shifts do not count. Empty: none there.
    `lingering` is the number of processes (BEAM) or frames (Python) still in older code.
    """

    path: str
    name: str
    is_loaded: bool
    version: str = ""
    disk_version: str = ""
    is_system: bool = False
    lingering: int = 0


@dataclass(frozen=True, slots=True)
class FileResult:
    """One file's result on one node. `status` is None for an assembly. `reason` is a stable slug, `detail` a sentence.

    `before` and `after` are versions as in `Loaded`. For `check`, `after` is what would be loaded. `is_written` says whether the
    file on the disk is the patch's now (always False for `check`).
    """

    path: str
    name: str
    status: Status | None
    reason: str
    detail: str = ""
    before: str = ""
    after: str = ""
    lingering: int = 0
    is_written: bool = False


@dataclass(frozen=True, slots=True)
class NodeReport:
    """What a node answered. `runtime` names it for people ("Erlang/OTP 25, ERTS 13.1.5"), `version` is the system's own.

    `version` is empty where the node cannot tell which version of the system it runs. `module_count` (of `inspect` and
    `check`) is how many files of code lie below its root, loaded or not: a patch with all of them is no patch.
    """

    is_reachable: bool
    reason: Trouble | None = None
    detail: str = ""
    runtime: str = ""
    version: str = ""
    module_count: int = 0
    loaded: Sequence[Loaded] = ()
    results: Sequence[FileResult] = ()
    millis: int = 0

    @property
    def status(self) -> Status | None:
        """The node's integral: of a node that gave no answer it is ERROR."""
        if not self.is_reachable:
            return Status.ERROR
        return integral(result.status for result in self.results)

    @property
    def needs_restart(self) -> bool:
        """Whether code that could not be loaded waits for a restart by hand."""
        return any(result.status is Status.NOT_UPDATED for result in self.results)


@dataclass(frozen=True, slots=True)
class Kept:
    """A file as it was before: what `apply` needs to bring it back. `data` None: there was none.

    `version` is that of the code that was loaded; empty where none was.
    """

    path: str
    data: bytes | None = field(repr=False)
    mode: int
    version: str

    def back(self) -> PatchFile:
        """The change that restores it."""
        return PatchFile(path=self.path, data=self.data, mode=self.mode)


@dataclass(frozen=True, slots=True)
class Keeping:
    """The answer of `keep`: `files` in the order asked, or why there are none.

    A module whose loaded code is not that of its file can't be kept, for the node can give the file alone: the reason names it.
    """

    report: NodeReport
    files: Sequence[Kept] = ()


@dataclass(frozen=True, slots=True)
class Turn:
    """On whose behalf an `apply` is done. `fence` grows with each worker that takes the upgrade over."""

    upgrade: str
    fence: int


class NodeRuntime(Protocol):
    """Access to one running process. See the module's docstring for what holds for all methods."""

    def inspect(self, paths: Sequence[str]) -> NodeReport:
        """What is loaded for each of `paths`: `loaded` has one row for each module among them, in their order."""
        ...

    def check(self, files: Sequence[PatchFile]) -> NodeReport:
        """What `apply` would give, as far as it can be known without doing it: one result for each file, in their order."""
        ...

    def keep(self, paths: Sequence[str]) -> Keeping:
        """What lies on the disk under each of `paths`, byte for byte."""
        ...

    def apply(self, files: Sequence[PatchFile], *, turn: Turn) -> NodeReport:
        """The files are in place, in memory and on the disk, but for those whose result says otherwise."""
        ...
