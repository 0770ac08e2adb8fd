"""The nodes that the tests patch."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.drivers.nodes.beam_under_test import BeamUnderTest
from tests.drivers.nodes.node_under_test import KINDS, NodeUnderTest
from tests.drivers.nodes.python_under_test import PythonUnderTest
from tests.environment.erlang import Erlang
from tests.environment.programs import need_root, program
from tests.environment.python_nodes import PythonService

_numbers = count(1)


@pytest.fixture
def beam_node(erlang: Erlang, tmp_path: Path) -> Iterator[BeamUnderTest]:
    """An Erlang node of its own for each test: it starts in a fifth of a second."""
    node = erlang.node(f"bay{next(_numbers)}", root=tmp_path / "root")
    node.start()
    yield BeamUnderTest(erlang, node)
    node.stop()


@pytest.fixture
def python_node(tmp_path: Path) -> Iterator[PythonUnderTest]:
    """A threaded Python service of its own for each test."""
    service = PythonService(tmp_path / "root")
    service.start()
    yield PythonUnderTest(service)
    service.remove()


@pytest.fixture(params=KINDS)
def node(request: pytest.FixtureRequest) -> NodeUnderTest:
    """A running service of each runtime."""
    under_test: NodeUnderTest = request.getfixturevalue(f"{request.param}_node")
    return under_test


@pytest.fixture
def immutable(node: NodeUnderTest) -> Iterator[Path]:
    """The module's folder takes no changes, not even of root."""
    folder = (node.root / node.module(1).path).parent
    chattr = program("chattr", package="e2fsprogs")
    need_root("an immutable folder")
    if subprocess.run([chattr, "+i", str(folder)], capture_output=True, check=False).returncode:
        pytest.skip("the file system knows no immutable folders")
    yield folder
    subprocess.run([chattr, "-i", str(folder)], check=True)
