"""What the conformance suite needs of a runtime: a small service that runs in real, and patches for it.

The service has a module that answers its version (1 at first) and holds a counter; a spare module that it never loads; and a
folder that it loads code from. To bring a runtime under the suite: a class like this, a fixture `<kind>_node` that gives one
that runs, and the word in KINDS.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from devices.drivers.nodes import NodeRuntime, PatchFile

KINDS = ["beam", "python"]


class Holder(Protocol):
    """Something in the service that runs code older than the newest."""

    def is_alive(self) -> bool:
        """It runs, and answers as it did when it was begun."""
        ...

    def release(self) -> None:
        """It has left the old code."""
        ...


class NodeUnderTest(Protocol):
    """One running service. Paths in patches are relative to `root`."""

    @property
    def root(self) -> Path: ...

    def runtime(self) -> NodeRuntime:
        """The product's way to it."""
        ...

    def stranger(self) -> NodeRuntime:
        """The same with a wrong secret."""
        ...

    def answer(self) -> int:
        """The version that the running module answers with."""
        ...

    def bump(self) -> int:
        """The service's counter after it was raised by one or more."""
        ...

    def count(self) -> int: ...

    def module(self, version: int) -> PatchFile:
        """The module that answers, in such a version."""
        ...

    def module_with_other_bytes(self) -> PatchFile:
        """The module in version 1 whose file differs, but whose code does not."""
        ...

    def spare(self, version: int) -> PatchFile: ...

    def new_module(self) -> PatchFile:
        """One that the service does not have, in a folder that it loads code from."""
        ...

    def assembly(self, data: bytes) -> PatchFile:
        """A file that the service has not, outside of all folders that it loads code from."""
        ...

    def text_for_a_module(self) -> PatchFile:
        """At the module's path, what is no code."""
        ...

    def in_a_wrong_folder(self) -> PatchFile:
        """The module, elsewhere below the root."""
        ...

    def system_library(self) -> PatchFile:
        """A part of the runtime itself."""
        ...

    def failing_at_load(self) -> PatchFile:
        """The module, which fails by itself when it is loaded."""
        ...

    def hold_older_code(self) -> Holder:
        """Something runs such that the next patch of the module is NOT_UPDATED. The module may be in version 2 then."""
        ...

    def restart(self) -> None:
        """The service runs again, from its files."""
        ...

    def freeze(self) -> None:
        """It answers nothing, but is there."""
        ...

    def kill(self) -> None: ...
