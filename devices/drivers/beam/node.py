"""A NodeRuntime over Erlang nodes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from devices.drivers import nodes
from devices.drivers.beam import agent, answers
from devices.drivers.beam.address import BeamAddress
from devices.drivers.beam.calls import Calls
from devices.drivers.beam.distribution import connect
from devices.drivers.beam.terms import Atom, Term
from devices.drivers.beam.trouble import NodeTroubled
from devices.drivers.dial import Dial, dial_straight
from devices.drivers.nodes import FileResult, Keeping, Kept, NodeReport, PatchFile, Turn

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds. See `devices.drivers.nodes`."""

    connect: float = nodes.CONNECT_SECONDS
    inspect: float = nodes.INSPECT_SECONDS
    check: float = nodes.CHECK_SECONDS
    apply: float = nodes.APPLY_SECONDS
    on_load: float = nodes.ON_LOAD_SECONDS


Connector = Callable[[float], Calls]
"""Opens a way into the node within so many seconds, or raises `NodeTroubled`."""


def over_distribution(
    address: BeamAddress, *, cookie: str, dial: Dial = dial_straight
) -> Connector:
    """Speaks Erlang's distribution itself, unencrypted: the portal's host needs no Erlang."""
    return lambda seconds: connect(address, cookie=cookie, dial=dial, seconds=seconds)


class BeamNode:
    """One Erlang node. See `NodeRuntime`."""

    def __init__(
        self, address: BeamAddress, *, connector: Connector, limits: Limits | None = None
    ) -> None:
        self._address = address
        self._connector = connector
        self._limits = limits or Limits()

    def inspect(self, paths: Sequence[str]) -> NodeReport:
        request: dict[Term, Term] = {Atom("paths"): _binaries(paths)}
        return self._reported(
            lambda: self._asked("inspect", request, seconds=self._limits.inspect),
            lambda answer: NodeReport(
                is_reachable=True, loaded=[answers.loaded(row) for row in answer.rows]
            ),
        )

    def check(self, files: Sequence[PatchFile]) -> NodeReport:
        request: dict[Term, Term] = {Atom("files"): changes(files)}
        return self._reported(
            lambda: self._asked("check", request, seconds=self._limits.check), _with_results
        )

    def keep(self, paths: Sequence[str]) -> Keeping:
        request: dict[Term, Term] = {Atom("paths"): _binaries(paths)}
        rows: list[Kept | FileResult] = []

        def read(answer: answers.Answer) -> NodeReport:
            rows.extend(answers.kept(row) for row in answer.rows)
            hindered = [row for row in rows if isinstance(row, FileResult)]
            detail = "; ".join(f"{row.path}: {row.detail}" for row in hindered)
            return NodeReport(is_reachable=True, results=hindered, detail=detail)

        report = self._reported(
            lambda: self._asked("keep", request, seconds=self._limits.check), read
        )
        files = [row for row in rows if isinstance(row, Kept)]
        whole = report.is_reachable and len(files) == len(paths)
        return Keeping(report=report, files=files if whole else ())

    def apply(self, files: Sequence[PatchFile], *, turn: Turn) -> NodeReport:
        request: dict[Term, Term] = {
            Atom("files"): changes(files),
            Atom("upgrade"): turn.upgrade.encode(),
            Atom("fence"): turn.fence,
            Atom("on_load_milliseconds"): int(self._limits.on_load * 1000),
        }
        return self._reported(
            lambda: self._asked("apply", request, seconds=self._limits.apply), _with_results
        )

    def _asked(
        self, operation: str, request: dict[Term, Term], *, seconds: float
    ) -> answers.Answer:
        place: dict[Term, Term] = {
            Atom("root"): (self._address.root.rstrip("/") or "/").encode(),
            Atom("application"): self._address.application.encode(),
        }
        with self._connector(self._limits.connect) as calls:
            agent.bring(calls, seconds=self._limits.inspect)
            answer = agent.run(calls, operation, request=place | request, seconds=seconds)
        return answers.opened(answer)

    def _reported(
        self, ask: Callable[[], answers.Answer], read: Callable[[answers.Answer], NodeReport]
    ) -> NodeReport:
        began = time.monotonic()
        try:
            answer = ask()
            report = read(answer)
        except NodeTroubled as trouble:
            return NodeReport(
                is_reachable=False,
                reason=trouble.reason,
                detail=str(trouble),
                millis=_millis_since(began),
            )
        return NodeReport(
            is_reachable=True,
            detail=report.detail,
            runtime=answer.runtime,
            version=answer.version,
            module_count=answer.module_count,
            loaded=report.loaded,
            results=report.results,
            millis=_millis_since(began),
        )


def _with_results(answer: answers.Answer) -> NodeReport:
    return NodeReport(is_reachable=True, results=[answers.result(row) for row in answer.rows])


def _binaries(paths: Sequence[str]) -> list[Term]:
    return [path.encode() for path in paths]


def changes(files: Sequence[PatchFile]) -> list[Term]:
    return [
        (file.path.encode(), Atom("removed") if file.data is None else file.data, file.mode)
        for file in files
    ]


def _millis_since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)
