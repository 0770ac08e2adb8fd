"""The memory of a patch's upgrade: kept files in the storage, reports in the database."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.core.files.base import ContentFile
from django.db import transaction

from devices.drivers.nodes import FileResult, Kept, NodeReport, Status
from patches.formats.kept_files import pack_kept, unpack_kept
from patches.models import Application, KeptFiles, Node, NodeResult, PatchCheck
from portal.core import clock
from portal.core.errors import StorageUnavailable
from portal.core.stored import open_stored
from updates.models import Upgrade
from updates.plan import Mode, PatchPlan
from updates.services.receiving import put_away


class StoredMemory:
    """What the workers of one upgrade know of its nodes: see the recipe's `Memory`."""

    def __init__(self, upgrade: Upgrade, nodes: Sequence[Node]) -> None:
        self._upgrade = upgrade
        self._nodes = {node.pk: node for node in nodes}

    def keep(self, node: int, files: Sequence[Kept]) -> None:
        if KeptFiles.objects.filter(upgrade=self._upgrade, node=node).exists():
            return
        packed = pack_kept(self._as_before(node, files))
        row = KeptFiles(
            upgrade=self._upgrade,
            node_id=node,
            sha256=hashlib.sha256(packed).hexdigest(),
            kept_at=clock.now(),
        )
        name = row.file.field.generate_filename(row, f"{uuid.uuid4()}.kept")
        with put_away(ContentFile(packed), name=name) as row.file.name:
            row.save()

    def _as_before(self, node: int, files: Sequence[Kept]) -> list[Kept]:
        """What a broken patch left behind is not what there is to go back to: that is what it kept.

        Where a patch that is in force has written the file since, it is that one's.
        """
        if PatchPlan.from_json(self._upgrade.plan).mode is not Mode.INSTALL:
            return list(files)
        broken = KeptFiles.objects.filter(
            node=node,
            upgrade__application__instance=self._upgrade.instance_id,
            upgrade__application__standing=Application.Standing.BROKEN,
        )
        written = self._written_in_force(node)
        before = {
            kept.path: kept
            for row in broken.order_by("-kept_at")
            for kept in _unpacked(row)
            if kept.path not in written or written[kept.path] < row.kept_at
        }
        return [before.get(kept.path, kept) for kept in files]

    def _written_in_force(self, node: int) -> dict[str, datetime]:
        """When a patch that is in force last wrote each file of `node`."""
        rows = NodeResult.objects.filter(
            node=node,
            step=NodeResult.Step.APPLY,
            upgrade__application__instance=self._upgrade.instance_id,
            upgrade__application__standing=Application.Standing.ACTIVE,
        )
        return {
            file["path"]: row.at
            for row in rows.order_by("at")
            for file in row.files
            if file["is_written"]
        }

    def kept(self, node: int, *, upgrade: str) -> list[Kept]:
        row = KeptFiles.objects.filter(upgrade_id=upgrade, node=node).first()
        if row is None:
            return []
        return _unpacked(row)

    def record(self, node: int, step: str, report: NodeReport) -> None:
        row = self._nodes[node]
        note_answer(row, report)
        NodeResult.objects.update_or_create(
            upgrade=self._upgrade,
            step=step,
            node_name=row.name,
            defaults={"node": row, **fields_of(report)},
        )

    def recorded(self, node: int, step: str) -> list[FileResult]:
        found = NodeResult.objects.filter(
            upgrade=self._upgrade, step=step, node_name=self._nodes[node].name
        ).first()
        return results_of(found) if found else []


def note_answer(node: Node, report: NodeReport) -> None:
    """The node's record says how it was reached just now, whatever it was asked for."""
    node.is_reachable, node.asked_at = report.is_reachable, clock.now()
    node.trouble = "" if report.is_reachable else (report.detail or str(report.reason))[:300]
    changed = ["is_reachable", "asked_at", "trouble"]
    if report.is_reachable:
        node.seen_at, node.runtime = node.asked_at, report.runtime[:200]
        node.version = report.version[:100]
        changed += ["seen_at", "runtime", "version"]
    node.save(update_fields=changed)


def _unpacked(row: KeptFiles) -> list[Kept]:
    with open_stored(str(row.file.name)) as file:
        packed = file.read()
    if hashlib.sha256(packed).hexdigest() != row.sha256:
        raise StorageUnavailable("What was kept of the node is damaged in the storage.")
    return unpack_kept(packed)


def record_answer(check: PatchCheck, node: Node, report: NodeReport) -> None:
    """What the node answered to the check is on record, unless that was asked for anew meanwhile: then it counts no more."""
    with transaction.atomic():
        same = PatchCheck.objects.filter(pk=check.pk, requested_at=check.requested_at)
        if same.select_for_update().first() is None:
            return
        note_answer(node, report)
        NodeResult.objects.update_or_create(
            check_of=check,
            node_name=node.name,
            defaults={"step": NodeResult.Step.CHECK, "node": node, **fields_of(report)},
        )


def results_of(row: NodeResult) -> list[FileResult]:
    """The files' results as the node gave them."""
    return [
        FileResult(**{**file, "status": Status(file["status"]) if file["status"] else None})
        for file in row.files
    ]


def fields_of(report: NodeReport) -> dict[str, Any]:
    """The report as fields of a NodeResult."""
    return {
        "is_reachable": report.is_reachable,
        "trouble": report.reason.value if report.reason else "",
        "detail": report.detail[:2000],
        "runtime": report.runtime[:200],
        "version": report.version[:100],
        "status": report.status,
        "needs_restart": report.needs_restart,
        "files": [asdict(result) for result in report.results],
        "millis": report.millis,
        "at": clock.now(),
    }
