"""The distribution handshake, version 6 (erts: "Distribution Protocol"): each side proves to know the cookie."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import struct
from typing import Final

from devices.drivers.beam.trouble import NodeTroubled
from devices.drivers.beam.wire import Wire
from devices.drivers.nodes import Trouble

FLAGS: Final = (
    0x4  # extended references
    | 0x10  # functions
    | 0x80  # new function tags
    | 0x100  # extended pids and ports
    | 0x200  # export functions
    | 0x400  # bit strings
    | 0x800  # floats as floats
    | 0x4000  # small atom tags
    | 0x10000  # atoms in UTF-8
    | 0x20000  # maps
    | 0x40000  # big creations
    | 0x1000000  # this handshake
    | 0x2000000  # unlink by id, which OTP 26 demands
    | 1 << 34  # large pids, which OTP 26 demands
)
"""What we understand. Published we are not, so that nobody sees a node come and go; no fragments, no cache of atoms."""

LONGEST_NAME: Final = 255


def refused(sentence: str) -> NodeTroubled:
    return NodeTroubled(sentence, reason=Trouble.REFUSED)


def shake_hands(wire: Wire, *, ours: str, theirs: str, cookie: str, creation: int) -> None:
    """The node has let us in, and has proven to be `theirs`.

    REFUSED when it does not take our cookie, or does not know it itself.
    """
    name = ours.encode()
    _send(wire, struct.pack(">cQIH", b"N", FLAGS, creation, len(name)) + name)
    _await_status(wire)
    challenge = _challenge(wire, theirs=theirs)
    wire.when_closed = refused("The node does not accept the cookie.")
    own = secrets.randbits(32)
    _send(wire, struct.pack(">cI", b"r", own) + _digest(cookie, challenge))
    answer = wire.frame(2)
    if answer[:1] != b"a" or not hmac.compare_digest(answer[1:], _digest(cookie, own)):
        raise refused("The node did not prove that it knows the cookie.")


def _await_status(wire: Wire) -> None:
    status = wire.frame(2)
    if status == b"salive":
        # It believes that a connection under our name, which is random, still stands.
        _send(wire, b"strue")
    elif status in {b"snok", b"snot_allowed"}:
        raise refused("The node lets no node of our name in.")
    elif status not in {b"sok", b"sok_simultaneous"}:
        raise NodeTroubled("What answers is no Erlang node.", reason=Trouble.PROTOCOL)


def _challenge(wire: Wire, *, theirs: str) -> int:
    message = wire.frame(2)
    if message[:1] != b"N" or len(message) < 19:
        raise NodeTroubled(
            "The node is older than Erlang/OTP 23, or is none.", reason=Trouble.PROTOCOL
        )
    _, _flags, challenge, _creation, length = struct.unpack(">cQIIH", message[:19])
    name = message[19 : 19 + min(length, LONGEST_NAME)].decode(errors="replace")
    if name != theirs:
        raise NodeTroubled(f"Another node answers there: {name}.", reason=Trouble.UNREACHABLE)
    return int(challenge)


def _send(wire: Wire, message: bytes) -> None:
    wire.send(len(message).to_bytes(2) + message)


def _digest(cookie: str, challenge: int) -> bytes:
    # MD5 is what the protocol says.
    return hashlib.md5(f"{cookie}{challenge}".encode(), usedforsecurity=False).digest()
