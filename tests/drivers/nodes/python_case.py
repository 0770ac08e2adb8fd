"""One module of a running Python service, to be patched: `m` on the service's console."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from textwrap import dedent

import pytest

from devices.drivers.nodes import FileResult, PatchFile, Turn
from tests.environment.python_nodes import PythonService

TURN = Turn(upgrade="graft", fence=1)

_numbers = count(1)


@dataclass
class Case:
    """One module of a running service; it is `m` on the console."""

    service: PythonService
    name: str

    @property
    def path(self) -> str:
        return f"shop/{self.name}.py"

    def load(self, source: str, *, hold: str = "") -> None:
        """The module is loaded, and `hold` has run after that."""
        self.service.write(self.path, dedent(source))
        importing = (
            f"import gc, importlib\nimportlib.invalidate_caches()\nimport shop.{self.name} as m\n"
        )
        self.service.run(importing + dedent(hold).replace("MODULE", f"shop.{self.name}"))

    def check(self, source: str) -> FileResult:
        report = self.service.runtime().check([PatchFile(self.path, dedent(source).encode())])
        assert report.is_reachable, report
        (result,) = report.results
        return result

    def patch(self, source: str) -> FileResult:
        files = [PatchFile(self.path, dedent(source).encode())]
        report = self.service.runtime().apply(files, turn=TURN)
        assert report.is_reachable, report
        (result,) = report.results
        return result

    def value(self, expression: str) -> object:
        found: object = self.service.value(expression)
        return found


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PythonService]:
    service = PythonService(tmp_path_factory.mktemp("graft") / "root")
    service.start()
    yield service
    service.remove()


@pytest.fixture
def case(service: PythonService) -> Case:
    return Case(service, f"case{next(_numbers)}")
