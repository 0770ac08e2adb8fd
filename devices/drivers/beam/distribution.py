"""A hidden Erlang node of our own, as small as can be: it connects to one node, calls functions there, and goes."""

from __future__ import annotations

import os
import secrets
from types import TracebackType
from typing import Final

from devices.drivers.beam.address import BeamAddress
from devices.drivers.beam.epmd import port_of
from devices.drivers.beam.handshake import refused, shake_hands
from devices.drivers.beam.terms import Atom, Pid, Term, decode_first, encode
from devices.drivers.beam.trouble import NodeTroubled, read_answer
from devices.drivers.beam.wire import Deadline, Wire, dialled
from devices.drivers.dial import Dial
from devices.drivers.nodes import Trouble

_SEND, _REG_SEND, _SEND_SENDER = 2, 6, 22
_PASS_THROUGH: Final = b"p"
_TICK: Final = bytes(4)
_NOBODY: Final = Atom("")


class Distribution:
    """One authenticated connection. See `Calls`."""

    def __init__(self, wire: Wire, *, name: str, creation: int) -> None:
        self._wire = wire
        self._name = name
        self._creation = creation
        self._calls = 0

    def call(self, module: str, function: str, *, arguments: list[Term], seconds: float) -> Term:
        self._wire.deadline = Deadline(seconds)
        # Each call is another process to the node, so that a late answer to an older one is told from ours.
        self._calls += 1
        caller = Pid(node=self._name, number=self._calls, creation=self._creation)
        request = (Atom("call"), Atom(module), Atom(function), arguments, Atom("user"))
        control = (_REG_SEND, caller, _NOBODY, Atom("rex"))
        message = _PASS_THROUGH + encode(control) + encode((caller, request))
        self._wire.send(len(message).to_bytes(4) + message)
        while True:
            answer = self._message_for(caller)
            if isinstance(answer, tuple) and len(answer) == 2 and answer[0] == "rex":
                return _unless_bad(answer[1])

    def _message_for(self, caller: Pid) -> Term:
        while True:
            frame = self._wire.frame(4)
            if not frame:
                self._wire.send(_TICK)
            elif frame[:1] == _PASS_THROUGH:
                with read_answer():
                    control, rest = decode_first(frame[1:])
                    if _is_for(caller, control):
                        return decode_first(rest)[0]

    def __enter__(self) -> Distribution:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._wire.close()


def connect(address: BeamAddress, *, cookie: str, dial: Dial, seconds: float) -> Distribution:
    """Connected to the node, which knows the cookie, as we do. `NodeTroubled` otherwise."""
    deadline = Deadline(seconds)
    port = port_of(address, dial=dial, deadline=deadline)
    line = dialled(dial, host=address.dialled, port=port, deadline=deadline)
    # A second connection under the same name would make the node drop the first.
    host = address.node.partition("@")[2]
    name = f"fleetwright-{os.getpid()}-{secrets.token_hex(6)}@{host}"
    creation = 4 + secrets.randbelow(2**31)
    closed = refused("The node closed the connection before it was made.")
    wire = Wire(line, deadline=deadline, when_closed=closed)
    try:
        shake_hands(wire, ours=name, theirs=address.node, cookie=cookie, creation=creation)
    except BaseException:
        wire.close()
        raise
    wire.when_closed = NodeTroubled(
        "The connection to the node broke during the call.", reason=Trouble.DIED
    )
    return Distribution(wire, name=name, creation=creation)


def _is_for(caller: Pid, control: Term) -> bool:
    if not isinstance(control, tuple) or len(control) < 3:
        return False
    return control[0] in {_SEND, _SEND_SENDER} and control[2] == caller


def _unless_bad(result: Term) -> Term:
    if isinstance(result, tuple) and len(result) == 2 and result[0] == "badrpc":
        raise NodeTroubled(
            f"The node could not do what it was asked: {str(result[1])[:500]}",
            reason=Trouble.PROTOCOL,
        )
    return result
