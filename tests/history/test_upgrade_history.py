"""The view `upgrade_history`: the self-upgrade document's own query, in its words, on both databases."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from portal.core import clock
from portal.core.actors import PORTAL
from tests.architecture.source import ROOT
from tests.journal.rows import brought_to, finished, held, new_device, new_upgrade
from updates.journal import DatabaseJournal, request_cancel
from updates.machine import Event, State
from updates.models import Upgrade
from updates.runner import Failure

pytestmark = pytest.mark.database

QUERY = "SELECT * FROM upgrade_history ORDER BY startedAt DESC"
PROMISED = {
    "id", "fromVersion", "toVersion", "deploymentMethod", "status", "progress", "currentStep",
    "logs", "backupPath", "startedAt", "completedAt", "initiatedBy", "errorMessage",
    "rollbackAvailable",
}  # fmt: skip
STATUSES = {
    "pending", "backing_up", "downloading", "restarting", "health_check", "rolling_back",
    "complete", "failed", "rolled_back",
}  # fmt: skip
DOCUMENT = ROOT / "portal" / "docs" / "upgrade-history.md"


def asked(query: str = QUERY) -> list[dict[str, Any]]:
    """The rows, with their columns in small letters: PostgreSQL knows no others here."""
    with connection.cursor() as cursor:
        cursor.execute(query)
        columns = [column[0].lower() for column in cursor.description]
        return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]


def row_of(upgrade: Upgrade) -> dict[str, Any]:
    return next(row for row in asked() if str(row["id"]).replace("-", "") == upgrade.pk.hex)


def test_the_documents_query_works_and_the_newest_comes_first() -> None:
    now = timezone.now()
    for days in (3, 1, 2):
        with clock.started_at(now - timedelta(days=days)):
            new_upgrade(new_device(f"box-{days}"))
    rows = asked(f"{QUERY} LIMIT 2")
    assert [row["device"] for row in rows] == ["box-1", "box-2"]
    assert {name.lower() for name in PROMISED} <= set(rows[0])


def test_its_columns_may_be_written_as_the_document_writes_them() -> None:
    new_upgrade()
    columns = ", ".join(sorted(PROMISED))
    assert asked(f"SELECT {columns} FROM upgrade_history")  # noqa: S608 - they are our own


def test_an_upgrade_that_succeeded_is_complete() -> None:
    upgrade = finished(new_upgrade())
    row = row_of(upgrade)
    assert (row["status"], row["progress"], row["currentstep"]) == ("complete", 100, "finished")
    assert (row["fromversion"], row["toversion"]) == ("old", "new")
    assert (row["initiatedby"], row["deploymentmethod"]) == ("portal", "artifact")
    assert row["errormessage"] is None
    assert row["startedat"] is not None
    assert row["completedat"] is not None


@pytest.mark.parametrize("state", [state for state in State if state is not State.FINISHED])
def test_what_runs_has_a_status_of_the_documents(state: State) -> None:
    upgrade = new_upgrade()
    if state is not State.PENDING:
        brought_to(state, held(upgrade))
    row = row_of(upgrade)
    assert row["currentstep"] == state.value
    assert row["status"] in STATUSES - {"complete", "failed", "rolled_back"}
    assert row["completedat"] is None


def test_a_decided_outcome_is_no_status_until_it_is_over() -> None:
    upgrade = new_upgrade()
    journal = brought_to(State.INSTALLING, held(upgrade))
    journal.take(Event.FAILED, failure=Failure("UPD-1", "The disk is full"))
    assert row_of(upgrade)["status"] == "rolling_back"
    assert row_of(upgrade)["errormessage"] == "The disk is full"


def test_an_upgrade_that_went_back_says_so_and_why() -> None:
    upgrade = new_upgrade()
    journal = brought_to(State.INSTALLING, held(upgrade))
    journal.take(Event.FAILED, failure=Failure("UPD-1", "The disk is full"))
    brought_to_end(journal)
    row = row_of(upgrade)
    assert (row["status"], row["errormessage"]) == ("rolled_back", "The disk is full")
    assert row["completedat"] is not None


def test_an_upgrade_that_failed_before_anything_changed_is_failed() -> None:
    upgrade = new_upgrade()
    journal = brought_to(State.DOWNLOADING, held(upgrade))
    journal.take(Event.FAILED, failure=Failure("UPD-1", "Not found"))
    brought_to_end(journal)
    assert (row_of(upgrade)["status"], row_of(upgrade)["errormessage"]) == ("failed", "Not found")


def test_a_broken_one_is_failed_with_its_error() -> None:
    upgrade = new_upgrade()
    journal = brought_to(State.INSTALLING, held(upgrade))
    journal.take(Event.FAILED, failure=Failure("UPD-1", "The disk is full"))
    journal.take(Event.FAILED, failure=Failure("UPD-1", "The old tree is gone"))
    brought_to_end(journal)
    row = row_of(upgrade)
    assert (row["status"], row["errormessage"]) == ("failed", "The disk is full")


def test_a_cancelled_one_is_failed_and_says_who_cancelled() -> None:
    upgrade = new_upgrade()
    request_cancel(str(upgrade.pk), by=PORTAL.name)
    row = row_of(upgrade)
    assert (row["status"], row["errormessage"]) == ("failed", "Cancelled by portal")


def test_the_logs_tell_the_way_in_its_order() -> None:
    upgrade = finished(new_upgrade())
    logs = row_of(upgrade)["logs"]
    told = json.loads(logs) if isinstance(logs, str) else logs
    assert told[0] == "Ordered by portal: a test"
    assert told[-1] == "finished"
    assert told.index("installing") < told.index("verifying") < told.index("committed")


def test_backup_and_rollback_come_from_what_the_upgrade_found_out() -> None:
    upgrade = finished(new_upgrade())
    assert row_of(upgrade)["backuppath"] is None
    assert not row_of(upgrade)["rollbackavailable"]
    facts = {
        "backup_path": "/data/upgrade-backup-20261121_031500.tar.gz",
        "supports_rollback": True,
    }
    Upgrade.objects.filter(pk=upgrade.pk).update(facts=facts)
    row = row_of(upgrade)
    assert row["backuppath"] == facts["backup_path"]
    assert row["rollbackavailable"]


def test_it_is_for_reading_only() -> None:
    new_upgrade()
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE upgrade_history SET status = 'complete'")
    assert asked()[0]["status"] == "pending"


def test_the_document_names_every_column_and_status() -> None:
    text = Path(DOCUMENT).read_text()
    named = set(re.findall(r"^\| `(\w+)`", text, re.MULTILINE))
    assert named == PROMISED | {"device"} | STATUSES


def brought_to_end(journal: DatabaseJournal) -> None:
    while journal.state is not State.FINISHED:
        journal.take(Event.DONE)


@pytest.mark.parametrize(
    ("facts", "path", "can"),
    [
        ({"backup": {"path": "/backups/a.tar.gz"}, "kept": True}, "/backups/a.tar.gz", True),
        ({"backup": {"path": "/backups/a.tar.gz"}, "kept": False}, "/backups/a.tar.gz", False),
        ({"backup": None, "kept": True}, None, True),
        ({"backup_path": "/tree", "supports_rollback": True}, "/tree", True),
        ({}, None, False),
    ],
)
def test_it_says_where_the_backup_is_and_whether_it_can_be_taken_back(
    facts: dict[str, Any], path: str | None, *, can: bool
) -> None:
    upgrade = new_upgrade()
    Upgrade.objects.filter(pk=upgrade.pk).update(facts=facts)
    row = row_of(upgrade)
    assert (row["backuppath"], bool(row["rollbackavailable"])) == (path, can)
