"""Real nodes for patches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.drivers.nodes.conftest import beam_node, node, python_node
from tests.environment.erlang import Erlang, ErlangNode
from tests.patches.bay import Bay, new_bay

__all__ = ["beam_node", "node", "python_node"]

_numbers = count(1)


@pytest.fixture
def started(erlang: Erlang, tmp_path: Path) -> Iterator[Callable[..., list[ErlangNode]]]:
    """Makes nodes with a folder each; ends them with the test."""
    nodes: list[ErlangNode] = []

    def start(number: int, *, without: tuple[str, ...] = ()) -> list[ErlangNode]:
        new = [
            erlang.node(
                f"patched{(n := next(_numbers))}", root=tmp_path / f"root{n}", without=without
            )
            for _ in range(number)
        ]
        for one in new:
            one.launch()
        for one in new:
            one.await_running()
            one.call("bay_greeting", "answer")
        nodes.extend(new)
        return new

    yield start
    for one in nodes:
        one.stop()


@pytest.fixture
def bay(transactional_db: None, erlang: Erlang, started: Callable[..., list[ErlangNode]]) -> Bay:
    """Two nodes, and nothing patched."""
    bay = new_bay(erlang)
    for one in started(2):
        bay.join(one)
    return bay
