"""The history for spreadsheets, scripts and auditors: rows in a stable form."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from django.db.models import QuerySet

from portal.core.exports import csv_lines, json_lines
from portal.core.keyset import all_of
from updates.machine import State
from updates.models import Upgrade

COLUMNS: Final = (
    "id", "device", "device_type", "kind", "from_version", "to_version", "artifact", "deployment",
    "state", "outcome", "unchanged", "progress", "error_code", "error_state", "error", "warning",
    "requested_by", "reason", "created_at", "started_at", "finished_at", "seconds", "undoes", "retries",
    "instance", "module", "module_order",
)  # fmt: skip
"""What an exported upgrade says; new ones come at the end, none goes."""


def history_csv(upgrades: QuerySet[Upgrade]) -> Iterator[str]:
    """The lines of a CSV file, with a header, newest first."""
    return csv_lines(COLUMNS, history_rows(upgrades))


def history_json_lines(upgrades: QuerySet[Upgrade]) -> Iterator[str]:
    """A JSON object on a line for each of `upgrades`, newest first."""
    return json_lines(history_rows(upgrades))


def history_rows(upgrades: QuerySet[Upgrade]) -> Iterator[dict[str, Any]]:
    """Each upgrade as a row, newest first; only a few of them are in memory at any time."""
    wanted = upgrades.select_related("device", "artifact", "deployment", "instance__module").defer(
        "plan", "facts", "deployment__left_out", "deployment__selection"
    )
    return (_row(upgrade) for upgrade in all_of(wanted, time="created_at"))


def _row(upgrade: Upgrade) -> dict[str, Any]:
    return {
        "id": upgrade.pk,
        "device": upgrade.device.name,
        "device_type": upgrade.device.device_type,
        "kind": upgrade.kind,
        "from_version": upgrade.from_version,
        "to_version": upgrade.to_version,
        "artifact": upgrade.artifact.name if upgrade.artifact else "",
        "deployment": upgrade.deployment.name if upgrade.deployment else "",
        "state": upgrade.state,
        "outcome": upgrade.outcome if upgrade.state == State.FINISHED else "",
        "unchanged": upgrade.unchanged,
        "progress": upgrade.progress,
        "error_code": upgrade.error_code,
        "error_state": upgrade.error_state,
        "error": upgrade.error,
        "warning": upgrade.warning,
        "requested_by": upgrade.requested_by_name,
        "reason": upgrade.reason,
        "created_at": upgrade.created_at,
        "started_at": upgrade.started_at,
        "finished_at": upgrade.finished_at,
        "seconds": _seconds(upgrade),
        "undoes": upgrade.undoes_id,
        "retries": upgrade.retries_id,
        "instance": upgrade.instance.name if upgrade.instance else "",
        "module": upgrade.instance.module.name if upgrade.instance else "",
        "module_order": upgrade.module_order_id,
    }


def _seconds(upgrade: Upgrade) -> int | None:
    if upgrade.started_at is None or upgrade.finished_at is None:
        return None
    return round((upgrade.finished_at - upgrade.started_at).total_seconds())
