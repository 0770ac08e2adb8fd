"""An Erlang node under the conformance suite."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

from devices.drivers.beam.node import Limits
from devices.drivers.beam.terms import Atom
from devices.drivers.nodes import NodeRuntime, PatchFile, Turn
from tests.environment.erlang import EBIN, Erlang, ErlangNode

GREETING = f"{EBIN}/bay_greeting.beam"
SPARE = f"{EBIN}/bay_spare.beam"
LIMITS = Limits(connect=2, inspect=2, check=5, apply=10, on_load=1)

FAILING = """
-module(bay_greeting).
-export([answer/0, linger/0]).
-on_load(fail/0).
fail() -> {error, "not today"}.
linger() -> ok.
answer() -> 3.
"""
ADDED = "-module(bay_added).\n-export([answer/0]).\nanswer() -> 1.\n"

_numbers = count(1)


@dataclass
class LingeringProcess:
    """A process of the service that stays in the code in which it was begun."""

    node: ErlangNode
    name: str

    def is_alive(self) -> bool:
        asked = f"{self.name} ! {{self(), version}}, receive {{version, 1}} -> true after 2000 -> false end"
        if self.node.evaluate(f"whereis({self.name}) =/= undefined") != "true":
            return False
        return self.node.evaluate(asked) == "true"

    def release(self) -> None:
        self.node.evaluate(
            f"R = monitor(process, {self.name}), {self.name} ! leave, receive {{'DOWN', R, _, _, _}} -> ok end"
        )


@dataclass
class BeamUnderTest:
    """See `NodeUnderTest`."""

    world: Erlang
    node: ErlangNode

    @property
    def root(self) -> Path:
        return self.node.root

    def runtime(self) -> NodeRuntime:
        return self.node.runtime(limits=LIMITS)

    def stranger(self) -> NodeRuntime:
        return self.node.runtime(cookie="another", limits=LIMITS)

    def answer(self) -> int:
        answer = self.node.call("bay_greeting", "answer")
        assert isinstance(answer, int)
        return answer

    def bump(self) -> int:
        answer = self.node.call("bay_counter", "bump")
        assert isinstance(answer, int)
        return answer

    def count(self) -> int:
        answer = self.node.call("bay_counter", "count")
        assert isinstance(answer, int)
        return answer

    def module(self, version: int) -> PatchFile:
        return PatchFile(GREETING, self.world.compiled("bay_greeting", v=version))

    def module_with_other_bytes(self) -> PatchFile:
        return PatchFile(GREETING, self.world.compiled("bay_greeting", options="debug_info"))

    def spare(self, version: int) -> PatchFile:
        return PatchFile(SPARE, self.world.compiled("bay_spare", v=version))

    def new_module(self) -> PatchFile:
        return PatchFile(f"{EBIN}/bay_added.beam", self.world.compile(ADDED))

    def assembly(self, data: bytes) -> PatchFile:
        return PatchFile("lib/bay-1.0.0/priv/rates/table.csv", data, mode=0o640)

    def text_for_a_module(self) -> PatchFile:
        return PatchFile(GREETING, b"This is no code.")

    def in_a_wrong_folder(self) -> PatchFile:
        return replace(self.module(2), path="lib/bay-1.0.0/other/bay_greeting.beam")

    def system_library(self) -> PatchFile:
        source = "-module(lists).\n-export([reverse/1]).\nreverse(L) -> L.\n"
        return PatchFile(f"{EBIN}/lists.beam", self.world.compile(source))

    def failing_at_load(self) -> PatchFile:
        return PatchFile(GREETING, self.world.compile(FAILING))

    def hold_older_code(self) -> LingeringProcess:
        name = f"lingering{next(_numbers)}"
        self.node.call("bay_greeting", "linger_with", Atom(name))
        turn = Turn(upgrade=name, fence=1)
        self.runtime().apply([self.module(2)], turn=turn)
        return LingeringProcess(self.node, name)

    def restart(self) -> None:
        self.node.restart()

    def freeze(self) -> None:
        self.node.freeze()

    def kill(self) -> None:
        self.node.kill()
