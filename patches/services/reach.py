"""Reaching nodes: the runtime of each kind, over the way that its record says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager

from devices.drivers.nodes import NodeRuntime
from patches.asking import Member
from patches.models import Node


@contextmanager
def members_of(nodes: Iterable[Node]) -> Iterator[list[Member]]:
    """The nodes, ready to be asked. Whatever way was opened to them is closed afterwards."""
    with ExitStack() as ways:
        yield [Member(node.pk, node.name, runtime_of(node, ways=ways)) for node in nodes]


def runtime_of(node: Node, *, ways: ExitStack) -> NodeRuntime:
    """The node's runtime. What it opens on the way is closed with `ways`."""
    raise NotImplementedError
