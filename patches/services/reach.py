"""Reaching nodes: the runtime of each kind, over the way that its record says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

from devices import services as devices
from devices.drivers.beam.address import BeamAddress
from devices.drivers.beam.node import BeamNode, over_distribution
from devices.drivers.dial import Dial, dial_straight
from devices.drivers.nodes import NodeRuntime
from patches.asking import Member
from patches.models import Node
from updates.models import Module


@contextmanager
def members_of(nodes: Iterable[Node]) -> Iterator[list[Member]]:
    """The nodes, ready to be asked. Whatever way was opened to them is closed afterwards."""
    nodes = list(nodes)
    with ExitStack() as ways:
        dials: dict[int, Dial] = {}
        for node in nodes:
            if node.way == Node.Way.DEVICE and node.device_id not in dials:
                dials[node.device_id] = ways.enter_context(devices.dialled(node.device))
        yield [
            Member(node.pk, node.name, runtime_of(node, dial=dials.get(node.device_id)))
            for node in nodes
        ]


def runtime_of(node: Node, *, dial: Dial | None = None) -> NodeRuntime:
    """The node's runtime, over the dial of its device if it is reached through that."""
    way = dial if dial is not None and node.way == Node.Way.DEVICE else dial_straight
    return _RUNTIMES[Module.Runtime(node.instance.module.runtime)](node, way)


def _beam(node: Node, dial: Dial) -> NodeRuntime:
    address = BeamAddress(
        node=node.address,
        host=node.host,
        epmd_port=node.port_mapper,
        root=node.root,
        application=node.application,
    )
    return BeamNode(address, connector=over_distribution(address, cookie=node.secret, dial=dial))


_RUNTIMES: Final[dict[Module.Runtime, Callable[[Node, Dial], NodeRuntime]]] = {
    Module.Runtime.BEAM: _beam,
}
