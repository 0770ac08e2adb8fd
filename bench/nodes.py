"""Checking and applying a hot patch on many Erlang nodes, beside `erpc:multicall` on the same nodes in the same run.

Both sides have the same done, by the same module on the nodes, which share one folder: 50 modules, two versions in turn. Ours is
the product's way from `ask_all` on, and makes a connection for each call; Erlang's are there from before, and its time is taken
on the node that calls, where the request lies ready. Most of either time is what the nodes need to read and load the code.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Final

from devices.drivers.beam.agent import MODULE
from devices.drivers.beam.node import changes
from devices.drivers.beam.terms import Atom, Term
from devices.drivers.nodes import APPLY_SECONDS, NodeReport, PatchFile, Status, Turn
from patches.asking import Member, ask_all
from tests.environment.erlang import EBIN, Erlang, ErlangNode

MODULES: Final = 50
NODES: Final = (1, 10, 50)
ROUNDS: Final = 5
FUNCTIONS: Final = 150
AIM: Final = 1.2
"""How many times what `erpc:multicall` takes."""

_fences = count(1)


@dataclass(frozen=True, slots=True)
class Compared:
    """Medians of some rounds, in seconds."""

    what: str
    nodes: int
    ours: float
    multicall: float

    @property
    def ratio(self) -> float:
        return self.ours / self.multicall

    @property
    def is_over(self) -> bool:
        return self.ratio > AIM

    def __str__(self) -> str:
        times = f"ours {self.ours * 1000:7.0f} ms, erpc:multicall {self.multicall * 1000:7.0f} ms"
        return f"{self.what:5} of {MODULES} modules on {self.nodes:2} nodes: {times}, ratio {self.ratio:.2f}"


def measure_nodes() -> Iterator[Compared]:
    """Check and apply on 1, 10 and 50 nodes, each as soon as it is measured."""
    with tempfile.TemporaryDirectory() as folder, Erlang(Path(folder) / "world") as world:
        versions = [_files(world, version) for version in (1, 2)]
        root = Path(folder) / "root"
        world.install(root)
        for file in versions[0]:
            (root / file.path).write_bytes(file.data or b"")
        nodes = [world.node(f"bench{number}", root=root) for number in range(max(NODES))]
        caller = world.node("caller", root=root)
        for node in (*nodes, caller):
            node.launch()
        for node in (*nodes, caller):
            node.await_running()
        for node in nodes:
            node.evaluate(f"[{{module, _}} = code:ensure_loaded(M) || M <- [{_names()}]], ok")
        for number in NODES:
            yield from _Race(nodes[:number], caller, versions).run()


class _Race:
    """The two sides by turns, so that what else the machine does meets both."""

    def __init__(
        self, nodes: Sequence[ErlangNode], caller: ErlangNode, versions: list[list[PatchFile]]
    ) -> None:
        self._nodes, self._caller, self._versions = nodes, caller, versions
        self._members = [
            Member(number, node.name, node.runtime()) for number, node in enumerate(nodes)
        ]

    def run(self) -> Iterator[Compared]:
        for what in ("check", "apply"):
            ours, theirs = [], []
            for number in range(ROUNDS + 1):
                # Whoever comes second has the same to do: the version that is not there.
                ours.append(self._ours(what, self._versions[1]))
                theirs.append(self._multicall(what, self._versions[0 if what == "apply" else 1]))
                if number == 0:  # connections, the portal's module on the nodes, caches
                    ours.clear()
                    theirs.clear()
            yield Compared(
                what, len(self._nodes), statistics.median(ours), statistics.median(theirs)
            )

    def _ours(self, what: str, files: list[PatchFile]) -> float:
        turn = Turn(upgrade="bench", fence=next(_fences))

        def ask(member: Member) -> NodeReport:
            if what == "check":
                return member.runtime.check(files)
            return member.runtime.apply(files, turn=turn)

        began = time.perf_counter()
        reports = [report for _, report in ask_all(self._members, ask, tick=_nobody_waits)]
        seconds = time.perf_counter() - began
        if not all(report.status is Status.OK for report in reports):
            raise RuntimeError(f"Our {what} went wrong: {reports[0]}")
        return seconds

    def _multicall(self, what: str, files: list[PatchFile]) -> float:
        request: dict[Term, Term] = {
            Atom("root"): str(self._nodes[0].root).encode(),
            Atom("application"): b"bay",
            Atom("files"): changes(files),
            Atom("upgrade"): b"bench",
            Atom("fence"): next(_fences),
            Atom("on_load_milliseconds"): 5000,
            Atom("milliseconds"): int(APPLY_SECONDS * 1000),
        }
        self._caller.call("persistent_term", "put", Atom("bench"), request)
        names = ", ".join(f"'{node.name}'" for node in self._nodes)
        answer = self._caller.evaluate(
            f"begin R = persistent_term:get(bench), "
            f"{{T, A}} = timer:tc(erpc, multicall, [[{names}], {MODULE}, run, [{what}, R], {int(APPLY_SECONDS * 1000)}]), "
            f"{{T, length([x || {{ok, _}} <- A])}} end",
            seconds=APPLY_SECONDS,
        )
        match answer:
            case (int(microseconds), int(done)) if done == len(self._nodes):
                return microseconds / 1_000_000
        raise RuntimeError(f"Erlang's {what} went wrong: {answer!r}")


def _files(world: Erlang, version: int) -> list[PatchFile]:
    return [
        PatchFile(f"{EBIN}/bench{number}.beam", world.compile(_source(number), v=version))
        for number in range(MODULES)
    ]


def _source(number: int) -> str:
    """A module whose compiled file has about 36 KB, as those of the hot-patch figures."""
    functions = "\n".join(
        f'f{n}(X, Y) when X > {n} -> [X * {n} + ?V, Y, <<"text {number} of {n}">>, {{f{n}, X - Y}}];\n'
        f"f{n}(X, _) -> case X rem {n + 2} of 0 -> {{even, X}}; R -> [R, {n}, ?V] end."
        for n in range(FUNCTIONS)
    )
    return f"-module(bench{number}).\n-compile(export_all).\n-compile(nowarn_export_all).\n{functions}\n"


def _names() -> str:
    return ", ".join(f"bench{number}" for number in range(MODULES))


def _nobody_waits() -> None:
    """There is no journal to flush."""
