"""Compiled Erlang modules, taken apart and put together otherwise than Erlang's compiler of this machine would."""

from __future__ import annotations

import struct

OPCODE_AT = 8


def chunks(beam: bytes) -> dict[bytes, bytes]:
    """The chunks of a beam file by their names."""
    found, rest = {}, beam[12:]
    while rest:
        name, size = rest[:4], int.from_bytes(rest[4:8])
        found[name] = rest[8 : 8 + size]
        rest = rest[8 + (size + 3) // 4 * 4 :]
    return found


def beam_of(chunks: dict[bytes, bytes]) -> bytes:
    body = b"".join(
        name + struct.pack(">I", len(data)) + data + bytes(-len(data) % 4)
        for name, data in chunks.items()
    )
    return b"FOR1" + struct.pack(">I", len(body) + 4) + b"BEAM" + body


def for_a_newer_runtime(beam: bytes) -> bytes:
    """It says that it uses an instruction which does not exist yet."""
    parts = chunks(beam)
    code = parts[b"Code"]
    parts[b"Code"] = code[:OPCODE_AT] + struct.pack(">I", 250) + code[OPCODE_AT + 4 :]
    return beam_of(parts)


def with_another_instruction_set(beam: bytes) -> bytes:
    """As a future generation of the machine may have."""
    parts = chunks(beam)
    code = parts[b"Code"]
    parts[b"Code"] = code[:4] + struct.pack(">I", 99) + code[8:]
    return beam_of(parts)


def with_an_atom_table_as_of_otp_28(beam: bytes) -> bytes:
    """A negative count of atoms, and lengths as compact terms."""
    parts = chunks(beam)
    table = parts[b"AtU8"]
    atoms, rest = [], table[4:]
    while rest:
        atoms.append(rest[1 : 1 + rest[0]])
        rest = rest[1 + rest[0] :]
    parts[b"AtU8"] = struct.pack(">i", -len(atoms)) + b"".join(
        bytes([len(atom) << 4]) + atom
        if len(atom) < 16
        else bytes([len(atom) >> 8 << 5 | 8, len(atom) & 255]) + atom
        for atom in atoms
    )
    return beam_of(parts)


def stripped(beam: bytes) -> bytes:
    """Only what is needed to run."""
    parts = chunks(beam)
    kept = (b"AtU8", b"Code", b"StrT", b"ImpT", b"ExpT", b"FunT", b"LitT", b"Meta")
    return beam_of({name: parts[name] for name in kept if name in parts})
