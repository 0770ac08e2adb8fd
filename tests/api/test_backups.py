"""Backups of watched containers, over the API and by commands."""

from __future__ import annotations

import json

import pytest

from tests.api.caller import Caller
from tests.cli.conftest import run
from tests.watching.rows import backed_up
from tests.watching.rows import watched as watch
from updates.models import Backup, Upgrade, WatchedContainer

pytestmark = [pytest.mark.database, pytest.mark.usefixtures("redis_server")]


@pytest.fixture
def watched(db: None) -> WatchedContainer:
    return watch("books")


def test_one_is_made_now_and_read_again(
    operator: Caller, viewer: Caller, watched: WatchedContainer
) -> None:
    order = {"container": "books", "reason": "Audit"}
    answer = operator.post("backups", **order)
    assert (answer.status, answer.body["container"], answer.body["taken_at"]) == (
        201,
        "books",
        None,
    )
    assert operator.get(answer.headers["Location"]).body["reason"] == "Audit"
    assert operator.post("backups", **order).status == 409
    assert viewer.post("backups", **order).status == 403
    assert viewer.get("backups").body["results"][0]["requested_by"] == "alice"
    assert "No container is watched" in operator.post("backups", container="no", reason="x").body["detail"]  # fmt: skip


def test_one_is_put_back_by_an_upgrade(
    operator: Caller, viewer: Caller, watched: WatchedContainer
) -> None:
    backup = backed_up(watched)
    assert viewer.post(f"backups/{backup.pk}/restore", reason="x").status == 403
    answer = operator.post(f"backups/{backup.pk}/restore", reason="Rows are lost")
    assert (answer.status, answer.body["id"]) == (202, str(Upgrade.objects.get().pk))
    assert operator.post(f"backups/{backup.pk}/restore", reason="Again").status == 409


def test_one_is_deleted_but_not_the_only_good_one(
    operator: Caller, watched: WatchedContainer
) -> None:
    first = backed_up(watched)
    assert operator.delete(f"backups/{first.pk}?reason=x").status == 422
    backed_up(watched, 1)
    answer = operator.delete(f"backups/{first.pk}?reason=Old")
    assert answer.status == 202
    assert answer.body["delete_requested_at"] is not None
    assert answer.body["deleted_at"] is None


def test_the_same_by_commands(watched: WatchedContainer) -> None:
    first, second = backed_up(watched), backed_up(watched, 1)
    listed = run("backup", "list", "books").out
    assert first.path in listed
    assert "there" in listed
    assert "is on its way" in run("backup", "now", "books", "--reason=Audit").out
    assert "is being made" in run("backup", "list").out
    assert "being looked at" in run("backup", "look", "books").out
    Backup.objects.filter(taken_at=None).delete()
    said = run("backup", "delete", str(first.pk), "--reason=Old").out
    assert "upgrade-backup-20260101_000000.tar.gz is being deleted." in said
    assert "puts upgrade-backup" in run("backup", "restore", str(second.pk), "--reason=Lost").out
    rows = json.loads(run("backup", "list", "--json").out)
    assert {row["id"] for row in rows} == {first.pk, second.pk}
    assert "no backup 0" in run("backup", "delete", "0", "--reason=x").error
    assert "No container is watched" in run("backup", "now", "nothing", "--reason=x").error
