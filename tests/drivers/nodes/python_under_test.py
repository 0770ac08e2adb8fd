"""A Python service under the conformance suite."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from devices.drivers.nodes import PatchFile
from devices.drivers.python_node.runtime import PythonNode
from tests.environment.python_nodes import PythonService

DESK = "shop/desk.py"
SPARE = "shop/spare.py"


@dataclass
class SuspendedGenerator:
    """A generator of the service that was begun, and waits to be asked for more."""

    service: PythonService

    def is_alive(self) -> bool:
        return self.service.value("next(held)") is not None

    def release(self) -> None:
        self.service.run("held.close()")


@dataclass
class PythonUnderTest:
    """See `NodeUnderTest`."""

    service: PythonService

    @property
    def root(self) -> Path:
        return self.service.root

    def runtime(self) -> PythonNode:
        return self.service.runtime()

    def stranger(self) -> PythonNode:
        return self.service.runtime(key=b"another key, and long enough")

    def answer(self) -> int:
        answer = self.service.value("__import__('shop.desk').desk.answer()")
        assert isinstance(answer, int)
        return answer

    def bump(self) -> int:
        answer = self.service.value("__import__('shop.desk').desk.order(1)")
        assert isinstance(answer, int)
        return self.count()

    def count(self) -> int:
        count = self.service.value("__import__('shop.desk').desk.served['orders']")
        assert isinstance(count, int)
        return count

    def module(self, version: int) -> PatchFile:
        source = self._desk().replace("    return 1\n", f"    return {version}\n")
        return PatchFile(DESK, source.replace("yield 1", f"yield {version}").encode())

    def module_with_other_bytes(self) -> PatchFile:
        return PatchFile(DESK, b"# The same.\n\n" + self._desk().encode())

    def spare(self, version: int) -> PatchFile:
        return PatchFile(SPARE, f'"""Spare."""\n\nVALUE = {version}\n'.encode())

    def new_module(self) -> PatchFile:
        return PatchFile("shop/added.py", b"VALUE = 1\n")

    def assembly(self, data: bytes) -> PatchFile:
        return PatchFile("data/rates.bin", data, mode=0o640)

    def text_for_a_module(self) -> PatchFile:
        return PatchFile(DESK, b"This is no program.\n")

    def in_a_wrong_folder(self) -> PatchFile:
        return PatchFile("elsewhere/desk.py", self.module(2).data)

    def system_library(self) -> PatchFile:
        return PatchFile("json.py", b"VALUE = 1\n")

    def failing_at_load(self) -> PatchFile:
        return PatchFile(DESK, self._desk().encode() + b'\nraise RuntimeError("not today")\n')

    def hold_older_code(self) -> SuspendedGenerator:
        self.service.run("from shop import desk\nheld = desk.quotes()\nnext(held)")
        return SuspendedGenerator(self.service)

    def restart(self) -> None:
        self.service.restart()

    def freeze(self) -> None:
        self.service.freeze()

    def kill(self) -> None:
        self.service.stop()

    def _desk(self) -> str:
        return self.service.original(DESK)
