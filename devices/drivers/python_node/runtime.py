"""Python systems as nodes: all processes of one system are one node, and every one of them has to be patched."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from devices.drivers.dial import Dial, dial_straight
from devices.drivers.nodes import (
    APPLY_SECONDS,
    CHECK_SECONDS,
    CONNECT_SECONDS,
    INSPECT_SECONDS,
    ON_LOAD_SECONDS,
    Keeping,
    NodeReport,
    PatchFile,
    Trouble,
    Turn,
)
from devices.drivers.python_node.conversation import NoAnswer
from devices.drivers.python_node.doors import FolderDoors, Gone, PortDoors, PythonAddress
from devices.drivers.python_node.reports import Answers, kept, merged, unreachable, written

AT_ONCE: Final = 16
GRACE_SECONDS: Final = 2.0
ROUNDS: Final = 5
"""How often to look for processes that were forked while the others were asked."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How many seconds a process may take for each thing.

    `connect` is for connecting and authenticating, `on_load` for new code of one module to run through, `grace` for frames
    to leave old code.
    """

    connect: float = CONNECT_SECONDS
    inspect: float = INSPECT_SECONDS
    check: float = CHECK_SECONDS
    apply: float = APPLY_SECONDS
    on_load: float = ON_LOAD_SECONDS
    grace: float = GRACE_SECONDS


class PythonNode:
    """NodeRuntime of the processes at `address`. `key` is their agents'."""

    def __init__(
        self,
        address: PythonAddress,
        *,
        key: bytes,
        limits: Limits = Limits(),
        dial: Dial = dial_straight,
    ) -> None:
        self._address, self._limits, seconds = address, limits, limits.connect
        key = key.strip()  # files of keys end with a line
        self._doors: FolderDoors | PortDoors
        if address.folder:
            self._doors = FolderDoors(Path(address.folder), key=key, seconds=seconds)
        else:
            self._doors = PortDoors(address, key=key, seconds=seconds, dial=dial)

    def __repr__(self) -> str:
        return f"PythonNode({str(self._address)!r})"

    def inspect(self, paths: Sequence[str]) -> NodeReport:
        """See NodeRuntime."""
        return self._report(
            {"operation": "inspect", "paths": list(paths)}, seconds=self._limits.inspect
        )

    def check(self, files: Sequence[PatchFile]) -> NodeReport:
        """See NodeRuntime."""
        request = {"operation": "check", "files": written(files), "grace": self._limits.grace}
        return self._report(request, seconds=self._limits.check)

    def keep(self, paths: Sequence[str]) -> Keeping:
        """See NodeRuntime. Every process has to run what lies on the disk."""
        began = time.monotonic()
        answers = self._answers(
            {"operation": "keep", "paths": list(paths)}, seconds=self._limits.check
        )
        report = merged(answers, millis=_millis(began))
        if not report.is_reachable:
            return Keeping(report=report)
        said = {number: answer for number, answer in answers.items() if isinstance(answer, dict)}
        for number, answer in said.items():
            if "refusal" in answer:
                detail = f"Process {number}: {answer['refusal']}"
                return Keeping(report=replace(report, detail=detail))
        try:
            rows = zip(*(answer["files"] for answer in said.values()), strict=True)
            files = [kept(of_one) for of_one in rows]
        except (KeyError, TypeError, ValueError):
            trouble = NoAnswer(Trouble.PROTOCOL, "The agent's answer cannot be understood.")
            return Keeping(report=unreachable(trouble, millis=_millis(began)))
        return Keeping(report=report, files=files)

    def apply(self, files: Sequence[PatchFile], *, turn: Turn) -> NodeReport:
        """See NodeRuntime. The oldest process, the master of the others if they have one, comes first and writes the files."""
        order = {"upgrade": turn.upgrade, "fence": turn.fence}
        limits = {"on_load": self._limits.on_load, "grace": self._limits.grace}
        request = {"operation": "apply", "files": written(files), **order, **limits}
        return self._report(request, seconds=self._limits.apply, is_oldest_first=True)

    def _report(
        self, request: dict[str, Any], *, seconds: float, is_oldest_first: bool = False
    ) -> NodeReport:
        began = time.monotonic()
        answers = self._answers(request, seconds=seconds, is_oldest_first=is_oldest_first)
        return merged(answers, millis=_millis(began))

    def _answers(
        self, request: dict[str, Any], *, seconds: float, is_oldest_first: bool = False
    ) -> Answers:
        """What every process says, those too that are forked meanwhile; nobody else if the oldest is to be first and fails."""
        answers: dict[int, dict[str, Any] | NoAnswer] = {}
        gone: set[int] = set()

        def ask(process: int) -> None:
            try:
                with self._doors.open(process) as talk:
                    answers[process] = talk.ask(request, seconds=seconds)
            except Gone:
                gone.add(process)
            except NoAnswer as error:
                answers[process] = error

        with ThreadPoolExecutor(AT_ONCE) as pool:
            for _ in range(ROUNDS):
                try:
                    found = self._doors.processes()
                except NoAnswer as error:
                    return {**answers, 0: error}
                waiting = [number for number in found if number not in answers.keys() | gone]
                while is_oldest_first and waiting and not answers:
                    ask(waiting.pop(0))
                    if any(isinstance(answer, NoAnswer) for answer in answers.values()):
                        return answers
                if not waiting:
                    break
                list(pool.map(ask, waiting))
        return {number: answers[number] for number in sorted(answers)}


def _millis(began: float) -> int:
    return round((time.monotonic() - began) * 1000)
