"""One file of a call: where it belongs, what it is, and what becomes of it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from devices.drivers.python_node.engine.codes import compiled, digest
from devices.drivers.python_node.engine.files import content
from devices.drivers.python_node.engine.graft import Graft
from devices.drivers.python_node.engine.places import (
    check_place,
    extension,
    import_name,
    is_extension,
    is_system,
    loaded,
    located,
)
from devices.drivers.python_node.engine.verdicts import (
    ERROR,
    NOT_CHANGED,
    NOT_LOADED,
    NOT_PYTHON,
    NOT_UPDATED,
    OK,
    WRONG_PATH,
    Verdict,
)


class Entry:
    """`status` is ERROR until the file was judged, and after that until what was done was verified."""

    def __init__(self, agent: Any, path: str, *, data: bytes | None = None, mode: int = 0) -> None:
        self.agent, self.path, self.data, self.mode = agent, path, data, mode
        self.status: int | None = ERROR
        self.reason, self.detail, self.name = "unverified", "", ""
        self.before = self.after = ""
        self.lingering, self.is_written, self.is_module = 0, False, True
        self.target = Path()
        self.keys: list[str] = []
        self.graft: Graft | None = None
        self.beside: Path | None = None

    @property
    def change(self) -> Graft:
        """The graft of a module that is changed; LookupError if it is not."""
        if self.graft is None:
            raise LookupError(self.path)
        return self.graft

    def end(self, status: int | None, reason: str, detail: str = "") -> None:
        self.status, self.reason, self.detail = status, reason, detail

    def row(self) -> dict[str, Any]:
        words = (
            "path",
            "name",
            "status",
            "reason",
            "detail",
            "before",
            "after",
            "lingering",
            "is_written",
        )
        return {word: getattr(self, word) for word in words}

    def find(self) -> None:
        """`target`, `name`, `is_module` and the versions are known. Verdict for a path that can't be."""
        self.target = located(self.agent.root, self.path)
        self.keys = loaded(self.agent, self.target)
        key = extension(self.target) if is_extension(self.target) else None
        self.keys += [key] if key else []
        if self.keys:
            spec = getattr(sys.modules[self.keys[0]], "__spec__", None)
            self.name = spec.name if spec else self.target.stem
            source = self.agent.sources.get(self.keys[0])
            self.before = self.version_of(source.data) if source else ""
        else:
            name = import_name(self.target)
            self.name = name or ""
            self.is_module = name is not None or self.target.suffix == ".py"

    def version_of(self, data: bytes) -> str:
        """That of the code in `data`; empty if there is none."""
        try:
            return digest(compiled(data, str(self.target)))
        except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError):
            return ""

    def judge(self) -> None:
        """`status` says what `apply` would give, as far as that is known without doing it."""
        try:
            self.find()
            if self.is_module:
                self._judge_module()
            else:
                is_same = content(self.target) == self.data
                words = "The file is that already." if is_same else "It is copied, and not loaded."
                self.end(None, "unchanged" if is_same else "assembly", words)
        except Verdict as verdict:
            self.end(verdict.status, verdict.reason, verdict.detail)
        except OSError as error:
            self.end(ERROR, "unreadable", f"The file cannot be read: {error.strerror}.")

    def _judge_module(self) -> None:
        if self.data is not None:
            self._compile(self.data)
        if not self.keys and self.target.suffix == ".py" and not self.target.stem.isidentifier():
            raise Verdict(WRONG_PATH, "name", "No module can have that name.")
        if is_system(self.target):
            raise Verdict(ERROR, "system", "It is a system library, which cannot be patched.")
        if not self.name:
            raise Verdict(WRONG_PATH, "folder", "The node loads no code from that folder.")
        if not self.keys:
            check_place(self.target, self.name)
            if self.name in sys.modules:
                said = "It was loaded in a way that the agent cannot follow."
                raise Verdict(NOT_UPDATED, "unknown", said)
        if self.data is None:
            self._judge_removal()
        elif is_extension(self.target):
            self._judge_extension(self.data)
        elif not self.keys:
            self.end(NOT_LOADED, "not_loaded", "The node has not loaded it.")
        elif self.before == self.after:
            self.end(NOT_CHANGED, "not_changed", "The node runs that code already.")
        else:
            self._judge_change(self.data)

    def _compile(self, data: bytes) -> None:
        if is_extension(self.target):
            return
        if self.target.suffix != ".py":
            raise Verdict(NOT_PYTHON, "not_python", "It is not a Python module.")
        try:
            self.after = digest(compiled(data, str(self.target)))
        except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError) as error:
            line = (
                f" (line {error.lineno})" if isinstance(error, SyntaxError) and error.lineno else ""
            )
            said = f"It does not compile: {getattr(error, 'msg', None) or error}{line}."
            raise Verdict(NOT_PYTHON, "not_python", said) from None

    def _judge_removal(self) -> None:
        if self.keys:
            self.end(OK, "removed", "The module is to be taken out.")
        elif self.target.exists():
            self.end(NOT_LOADED, "removed", "The node has not loaded it.")
        else:
            self.end(NOT_CHANGED, "not_changed", "There is no such file.")

    def _judge_extension(self, data: bytes) -> None:
        if content(self.target) == data:
            self.end(NOT_CHANGED, "not_changed", "The file is that already.")
        elif self.keys:
            raise Verdict(
                NOT_UPDATED, "extension", "A compiled extension is exchanged by a restart."
            )
        else:
            self.end(NOT_LOADED, "not_loaded", "The node has not loaded it.")

    def _judge_change(self, data: bytes) -> None:
        if len(self.keys) > 1:
            raise Verdict(NOT_UPDATED, "twice", f"It is loaded as {' and as '.join(self.keys)}.")
        if not self.before:
            raise Verdict(
                NOT_UPDATED, "unknown", "What was loaded is not known: its file was changed."
            )
        key = self.keys[0]
        old = self.agent.sources[key].data
        self.graft = Graft(sys.modules[key], old=old, new=data, file=str(self.target))
        self.graft.foresee()
        self.end(OK, "ok", "It can be brought in while it runs.")
