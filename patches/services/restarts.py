"""What waits for a restart by hand: in which files of a node, and why. One place for the record and for pages."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from devices.drivers.nodes import Status
from patches.models import Node, NodeResult
from updates.models import Upgrade

NOT_UPDATED: Final = Status.NOT_UPDATED.value
BACK: Final = NodeResult.Step.BACK


class Waiting(NamedTuple):
    """A module whose file was written and not loaded: what is where, the module's name, and the version that the file is of."""

    says: str
    name: str
    version: str


def note_restarts(finished: Upgrade) -> None:
    """A node waits for somebody as long as a file of it is not loaded, whichever upgrade has written that.

    What the upgrade wrote is answered anew; the files of others wait on.
    """
    answers: dict[int, list[NodeResult]] = {}
    rows = NodeResult.objects.filter(upgrade=finished, node__isnull=False)
    for row in rows.select_related("upgrade").order_by("at"):
        answers.setdefault(row.node_id or 0, []).append(row)
    for node in Node.objects.filter(pk__in=answers):
        others = {*node.restart_paths} - _written(answers[node.pk])
        paths = others | {*waiting_in(answers[node.pk])}
        if paths or node.restart_paths:
            waits = {path: one for path, one in _ever_waited(node).items() if path in paths}
            node.restart_paths = sorted(waits)
            node.restart_needed = why_restart(waits.values())[:300]
            node.save(update_fields=["restart_needed", "restart_paths"])


def waiting_in(answers: Iterable[NodeResult]) -> dict[str, Waiting]:
    """What waits on one node after these answers to upgrades, the oldest first. What was not written has changed nothing."""
    waits: dict[str, Waiting] = {}
    for row in answers:
        for file in row.files:
            if file["is_written"] and file["status"] == NOT_UPDATED:
                waits[file["path"]] = _waiting(row, file["name"] or file["path"])
            elif file["is_written"]:
                waits.pop(file["path"], None)
    return waits


def why_restart(waits: Iterable[Waiting]) -> str:
    """What runs and what is on the disk, as sentences; empty where nothing waits."""
    names: dict[tuple[str, str], list[str]] = {}
    for says, name, version in waits:
        names.setdefault((says, version), []).append(name)
    return " ".join(
        f"{says}: {', '.join(some)}{version and f' of {version}'}."
        for (says, version), some in names.items()
    )


def why_not_written(answer: NodeResult) -> str:
    """What a restart does not bring, since its file is not on the disk either; empty where there is no such file."""
    names = [
        file["name"] or file["path"]
        for file in answer.files
        if file["status"] == NOT_UPDATED and not file["is_written"]
    ]
    if not names:
        return ""
    said = f"{', '.join(names)} could not be loaded, and the file stayed as it was"
    if _is_back(answer):
        return f"{said}, the patched one: a restart does not bring back what was there before."
    return f"{said}: a restart brings nothing, mend the code."


def _waiting(answer: NodeResult, name: str) -> Waiting:
    upgrade = answer.upgrade
    if upgrade is None or _is_back(answer):
        before = "What was there before is on the disk, and the patched code still runs"
        return Waiting(before, name, "")
    version = upgrade.from_version if upgrade.undoes_id else upgrade.to_version
    return Waiting("The new code is on the disk, and the old one still runs", name, version)


def _is_back(answer: NodeResult) -> bool:
    """Whether the node was to get what was there before the patch: not where a way back is itself taken back."""
    is_undo = answer.upgrade is not None and answer.upgrade.undoes_id is not None
    return is_undo != (answer.step == BACK)


def _written(answers: Iterable[NodeResult]) -> set[str]:
    return {file["path"] for row in answers for file in row.files if file["is_written"]}


def _ever_waited(node: Node) -> dict[str, Waiting]:
    """The newest reason of each file that was ever left to wait there."""
    rows = NodeResult.objects.filter(node=node, upgrade__isnull=False, needs_restart=True)
    return waiting_in(rows.select_related("upgrade").order_by("at"))
