"""Many processes, one report: what they said, put together as the answer of one node."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from devices.drivers.nodes import FileResult, Kept, Loaded, NodeReport, PatchFile, Status, Trouble
from devices.drivers.python_node.conversation import NoAnswer

Answers = Mapping[int, dict[str, Any] | NoAnswer]
"""What each process said, or why it said nothing; 0 stands for the system."""

WORST_FIRST: Final = (
    Status.ERROR,
    Status.NOT_BEAM,
    Status.WRONG_PATH,
    Status.NOT_UPDATED,
    Status.OK,
    Status.NOT_CHANGED,
    Status.NOT_LOADED,
)
"""Of processes, unlike of nodes, OK goes before NOT_CHANGED: a worker forked from a patched master has nothing left to change."""


def merged(answers: Answers, *, millis: int) -> NodeReport:
    """The node's report. It is not reachable if one of its processes is not; the results of the others are in it even so."""
    try:
        report = _report({number: a for number, a in answers.items() if isinstance(a, dict)})
    except (KeyError, TypeError, ValueError):
        trouble = NoAnswer(Trouble.PROTOCOL, "An agent's answer cannot be understood.")
        return unreachable(trouble, millis=millis)
    silent = {number: a for number, a in answers.items() if isinstance(a, NoAnswer)}
    if not answers:
        nobody = NoAnswer(Trouble.UNREACHABLE, "No process of the system is there.")
        return unreachable(nobody, millis=millis)
    for number, error in silent.items():
        others = len(answers) - len(silent)
        named = f"Process {number}: {error}" if number else str(error)
        said = f" {others} others answered." if others else ""
        report = replace(report, is_reachable=False, reason=error.trouble, detail=named + said)
        break
    return replace(report, millis=millis)


def unreachable(error: NoAnswer, *, millis: int) -> NodeReport:
    """The report of a node that said nothing."""
    return NodeReport(is_reachable=False, reason=error.trouble, detail=str(error), millis=millis)


def written(files: Sequence[PatchFile]) -> list[dict[str, Any]]:
    """The files as agents read them."""
    return [
        {
            "path": file.path,
            "data": None if file.data is None else base64.b64encode(file.data).decode(),
            "mode": file.mode,
        }
        for file in files
    ]


def kept(rows: Sequence[dict[str, Any]]) -> Kept:
    """One file of the answers to `keep`, of the version that those have loaded who have. ValueError or KeyError if it is none."""
    row = next((row for row in rows if row["version"]), rows[0])
    data = None if row["data"] is None else base64.b64decode(row["data"])
    version = str(row["version"])
    return Kept(path=str(row["path"]), data=data, mode=int(row["mode"]), version=version)


def _report(answers: Mapping[int, dict[str, Any]]) -> NodeReport:
    if not answers:
        return NodeReport(is_reachable=True)
    said = list(answers.values())
    loaded = zip(*(answer.get("loaded", ()) for answer in said), strict=True)
    results = zip(*(answer.get("results", ()) for answer in said), strict=True)
    numbers = [str(number) for number in answers]
    runtimes = sorted({str(answer["runtime"]) for answer in said})
    processes = f", {len(numbers)} processes" if len(numbers) > 1 else ""
    return NodeReport(
        is_reachable=True,
        detail=f"Processes: {', '.join(numbers)}.",
        runtime=" and ".join(runtimes) + processes,
        version=" and ".join(sorted({str(answer["version"]) for answer in said})),
        module_count=max(int(answer.get("module_count", 0)) for answer in said),
        loaded=[_loaded(rows) for rows in loaded],
        results=[_result(dict(zip(answers, rows, strict=True))) for rows in results],
    )


def _loaded(rows: Sequence[dict[str, Any]]) -> Loaded:
    """Where the processes differ, the one that does not run what is on the disk is shown."""
    there = [row for row in rows if row["is_loaded"]] or rows
    odd = [row for row in there if row["version"] != row["disk_version"]]
    row = (odd or there)[0]
    return Loaded(
        path=str(row["path"]),
        name=str(row["name"]),
        is_loaded=bool(row["is_loaded"]),
        version=str(row["version"]),
        disk_version=str(row["disk_version"]),
        is_system=bool(row["is_system"]),
    )


def _result(rows: Mapping[int, dict[str, Any]]) -> FileResult:
    number = min(rows, key=lambda process: _rank(rows[process]["status"]))
    row = rows[number]
    detail = str(row["detail"])
    differ = len({other["status"] for other in rows.values()}) > 1
    return FileResult(
        path=str(row["path"]),
        name=str(row["name"]),
        status=None if row["status"] is None else Status(row["status"]),
        reason=str(row["reason"]),
        detail=f"Process {number}: {detail}" if differ and detail else detail,
        before=str(row["before"]),
        after=str(row["after"]),
        lingering=sum(int(other["lingering"]) for other in rows.values()),
        is_written=all(bool(other["is_written"]) for other in rows.values()),
    )


def _rank(status: int | None) -> int:
    return len(WORST_FIRST) if status is None else WORST_FIRST.index(Status(status))
