"""The rows that the node's side answers with, as the protocol's values. A row of another shape is PROTOCOL."""

from __future__ import annotations

from dataclasses import dataclass

from devices.drivers.beam.reasons import sentence
from devices.drivers.beam.terms import Atom, Term
from devices.drivers.beam.trouble import NodeTroubled
from devices.drivers.nodes import FileResult, Kept, Loaded, Status, Trouble

_ASSEMBLY = 0
_TROUBLES = {
    "timed_out": NodeTroubled("The node did not finish in time.", reason=Trouble.TIMED_OUT),
    "stale": NodeTroubled("A newer holder of this upgrade has been here.", reason=Trouble.STALE),
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What the node said, before its rows are read."""

    runtime: str
    version: str
    module_count: int
    rows: list[Term]


def opened(answer: Term) -> Answer:
    """The answer, or `NodeTroubled` with what the node says is in the way."""
    match answer:
        case ("ok", bytes(runtime), bytes(version), int(count), list(rows)):
            return Answer(
                runtime=text(runtime), version=text(version), module_count=count, rows=rows
            )
        case ("failed", bytes(why)):
            raise NodeTroubled(f"The node failed: {text(why)}", reason=Trouble.PROTOCOL)
        case str(word) if word in _TROUBLES:
            trouble = _TROUBLES[word]
            raise NodeTroubled(str(trouble), reason=trouble.reason)
    raise _unknown(answer)


def loaded(row: Term) -> Loaded:
    match row:
        case (
            bytes(path),
            bytes(name),
            Atom() as is_loaded,
            bytes(version),
            bytes(on_disk),
            Atom() as is_system,
            int(lingering),
        ):
            return Loaded(
                path=text(path),
                name=text(name),
                is_loaded=is_loaded == "true",
                version=text(version),
                disk_version=text(on_disk),
                is_system=is_system == "true",
                lingering=lingering,
            )
    raise _unknown(row)


def result(row: Term) -> FileResult:
    match row:
        case (
            bytes(path),
            bytes(name),
            int(status),
            Atom() as reason,
            bytes(info),
            bytes(before),
            bytes(after),
            int(lingering),
            Atom() as is_written,
        ) if status in {_ASSEMBLY, *Status}:
            return FileResult(
                path=text(path),
                name=text(name),
                status=None if status == _ASSEMBLY else Status(status),
                reason=str(reason),
                detail=sentence(reason, info=text(info), lingering=lingering),
                before=text(before),
                after=text(after),
                lingering=lingering,
                is_written=is_written == "true",
            )
    raise _unknown(row)


def kept(row: Term) -> Kept | FileResult:
    """The file, or why it can't be kept."""
    match row:
        case (
            bytes(path),
            bytes(),
            (bytes() | Atom("none")) as data,
            int(mode),
            bytes(version),
            Atom("none"),
            bytes(),
        ):
            return Kept(
                path=text(path),
                data=data if isinstance(data, bytes) else None,
                mode=mode,
                version=text(version),
            )
        case (bytes(path), bytes(name), _, int(), bytes(version), Atom() as reason, bytes(info)):
            return FileResult(
                path=text(path),
                name=text(name),
                status=Status.ERROR,
                reason=str(reason),
                detail=sentence(reason, info=text(info)),
                before=text(version),
                after=text(version),
            )
    raise _unknown(row)


def text(data: bytes) -> str:
    return data.decode(errors="replace")


def _unknown(term: Term) -> NodeTroubled:
    return NodeTroubled(
        f"The node's answer is not understood: {str(term)[:200]}", reason=Trouble.PROTOCOL
    )
