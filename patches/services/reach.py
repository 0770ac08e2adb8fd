"""Reaching nodes: the runtime of each kind, over the way that its record says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Final

from devices import services as devices
from devices.drivers.beam.address import BeamAddress
from devices.drivers.beam.node import BeamNode, over_distribution
from devices.drivers.beam.tls import BeamTls, over_tls
from devices.drivers.dial import Dial, dial_straight
from devices.drivers.nodes import Keeping, NodeReport, NodeRuntime, PatchFile, Trouble, Turn
from devices.drivers.python_node.doors import HOST, PythonAddress
from devices.drivers.python_node.runtime import PythonNode
from patches.asking import Member
from patches.models import Node
from patches.plain import plain_report
from portal.core.errors import FleetwrightError
from updates.models import Module


@contextmanager
def members_of(nodes: Iterable[Node]) -> Iterator[list[Member]]:
    """The nodes, ready to be asked. Whatever way was opened to them is closed afterwards.

    A node to which there is no way, for its record makes no sense or its device has no credential, says so when it is asked.
    """
    nodes = list(nodes)
    with ExitStack() as ways:
        dials: dict[int, Dial] = {}
        yield [Member(node.pk, node.name, _reached(node, ways, dials)) for node in nodes]


def _reached(node: Node, ways: ExitStack, dials: dict[int, Dial]) -> NodeRuntime:
    try:
        if node.way == Node.Way.DEVICE and node.device_id not in dials:
            dials[node.device_id] = ways.enter_context(devices.dialled(node.device))
        return PlainSpoken(runtime_of(node, dial=dials.get(node.device_id)))
    except FleetwrightError as error:
        return NoWay(str(error))


def runtime_of(node: Node, *, dial: Dial | None = None) -> NodeRuntime:
    """The node's runtime, over the dial of its device if it is reached through that."""
    way = dial if dial is not None and node.way == Node.Way.DEVICE else dial_straight
    return _RUNTIMES[Module.Runtime(node.instance.module.runtime)](node, way)


@dataclass(frozen=True, slots=True)
class PlainSpoken:
    """A node whose answers hold only text that can be stored, whatever a patch made it say: see `NodeRuntime`."""

    runtime: NodeRuntime

    def inspect(self, paths: Sequence[str]) -> NodeReport:
        return plain_report(self.runtime.inspect(paths))

    def check(self, files: Sequence[PatchFile]) -> NodeReport:
        return plain_report(self.runtime.check(files))

    def keep(self, paths: Sequence[str]) -> Keeping:
        keeping = self.runtime.keep(paths)
        return replace(keeping, report=plain_report(keeping.report))

    def apply(self, files: Sequence[PatchFile], *, turn: Turn) -> NodeReport:
        return plain_report(self.runtime.apply(files, turn=turn))


@dataclass(frozen=True, slots=True)
class NoWay:
    """A node that cannot be asked at all: see `NodeRuntime`."""

    why: str

    def inspect(self, paths: Sequence[str]) -> NodeReport:
        return NodeReport(is_reachable=False, reason=Trouble.UNREACHABLE, detail=self.why)

    def check(self, files: Sequence[PatchFile]) -> NodeReport:
        return self.inspect([])

    def keep(self, paths: Sequence[str]) -> Keeping:
        return Keeping(self.inspect([]))

    def apply(self, files: Sequence[PatchFile], *, turn: Turn) -> NodeReport:
        return self.inspect([])


def _beam(node: Node, dial: Dial) -> NodeRuntime:
    address = BeamAddress(
        node=node.address,
        host=node.host,
        epmd_port=node.port_mapper,
        root=node.root,
        application=node.application,
    )
    connector = (
        over_tls(address, cookie=node.secret, tls=_tls(node))
        if node.uses_tls
        else over_distribution(address, cookie=node.secret, dial=dial)
    )
    return BeamNode(address, connector=connector)


def _tls(node: Node) -> BeamTls:
    return BeamTls(authority=node.tls_authority, certificate=node.tls_certificate, key=node.tls_key)


def _python(node: Node, dial: Dial) -> NodeRuntime:
    is_port = node.address.isdigit()
    address = PythonAddress(
        folder="" if is_port else node.address,
        port=int(node.address) if is_port else 0,
        host=node.host or HOST,
    )
    return PythonNode(address, key=node.secret.encode(), dial=dial)


_RUNTIMES: Final[dict[Module.Runtime, Callable[[Node, Dial], NodeRuntime]]] = {
    Module.Runtime.BEAM: _beam,
    Module.Runtime.PYTHON: _python,
}
