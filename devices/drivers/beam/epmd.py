"""Erlang's port mapper: the port of a node, by its name (erts: "Distribution Protocol", EPMD)."""

from __future__ import annotations

from devices.drivers.beam.address import BeamAddress
from devices.drivers.beam.trouble import NodeTroubled
from devices.drivers.beam.wire import Deadline, Wire, dialled
from devices.drivers.dial import Dial
from devices.drivers.nodes import Trouble

_PORT_PLEASE, _PORT = 122, 119


def port_of(address: BeamAddress, *, dial: Dial, deadline: Deadline) -> int:
    """Where the node listens. UNREACHABLE if epmd is not there, or knows no such node."""
    host, port = address.dialled, address.epmd_port
    try:
        line = dialled(dial, host=host, port=port, deadline=deadline)
    except NodeTroubled as error:
        raise NodeTroubled(f"No epmd: {error}", reason=error.reason) from None
    closed = NodeTroubled("epmd broke off its answer.", reason=Trouble.PROTOCOL)
    wire = Wire(line, deadline=deadline, when_closed=closed)
    try:
        asked = bytes([_PORT_PLEASE]) + address.name.encode()
        wire.send(len(asked).to_bytes(2) + asked)
        kind, result = wire.take(2)
        if kind != _PORT:
            raise NodeTroubled("What answers for epmd is not epmd.", reason=Trouble.PROTOCOL)
        if result:
            raise NodeTroubled(
                f"epmd at {host} knows no node {address.name}: it does not run, or elsewhere.",
                reason=Trouble.UNREACHABLE,
            )
        return int.from_bytes(wire.take(2))
    finally:
        wire.close()
