"""Pages about the backups of watched containers."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.test import Client

from portal.core import clock
from portal.core.actors import PORTAL
from tests.watching.rows import backed_up
from tests.watching.rows import watched as watch
from updates.models import Backup, Upgrade, WatchedContainer
from updates.services.container_orders import build_container_upgrade, plan_container

if TYPE_CHECKING:
    from django.test.client import _MonkeyPatchedWSGIResponse as Shown

pytestmark = [pytest.mark.database, pytest.mark.usefixtures("redis_server")]


@pytest.fixture
def watched(db: None) -> WatchedContainer:
    return watch("books")


def place(watched: WatchedContainer, rest: str = "") -> str:
    return f"/updates/backup/of/{watched.pk}/{rest}"


def text(answer: Shown) -> str:
    return " ".join(answer.content.decode().split())


def test_each_backup_is_listed_with_its_size_and_age_and_what_made_it(
    operator: Client, watched: WatchedContainer
) -> None:
    plan = plan_container(watched, image="ghcr.io/example/shop:2.0.0")
    upgrade = build_container_upgrade(plan, watched=watched, actor=PORTAL, reason="x")
    upgrade.save()
    backed_up(watched, upgrade=upgrade, taken_at=clock.now() - timedelta(hours=3))
    backed_up(watched, 1, is_live=True, requested_by_name="olga", reason="Audit")
    backed_up(watched, 2, sha256="")
    Backup.objects.create(watched=watched, created_at=clock.now(), error="There is no room.")
    shown = text(operator.get(place(watched)))
    for words in (
        "upgrade-backup-20260101_000000.tar.gz", "5.0 MB", "3 hours", "while it stood", "while it ran", "olga",
        "Audit", "somebody, by hand", "There is no room.", "encrypted volume", watched.backup_dir,
        f"/updates/upgrade/{upgrade.pk}/change/",
    ):  # fmt: skip
        assert words in shown, words
    of_one = operator.get(f"/updates/backup/{Backup.objects.latest('pk').pk}/change/")
    assert "upgrade-backup-20260101_000000.tar.gz" in text(of_one)
    listed = text(operator.get("/updates/backup/"))
    assert "upgrade-backup-20260101_000001.tar.gz" in listed


def test_a_container_without_any_says_what_makes_one(
    operator: Client, watched: WatchedContainer
) -> None:
    assert "There is no backup yet" in text(operator.get(place(watched)))


def test_an_operator_has_one_made(operator: Client, watched: WatchedContainer) -> None:
    assert "Nothing is stopped" in text(operator.get(place(watched, "now/")))
    assert not Backup.objects.exists()
    answer = operator.post(place(watched, "now/"), {"reason": "Before the audit"})
    assert (answer.status_code, answer["Location"]) == (302, place(watched))
    assert Backup.objects.get().reason == "Before the audit"
    shown = text(operator.get(place(watched)))
    assert "Is being made" in shown
    assert "A backup of books is being made." in shown, "why there is no second one"
    refused = operator.post(place(watched, "now/"), {"reason": "Twice"})
    assert refused.status_code == 422
    assert "is being made" in text(refused)


def test_an_operator_has_the_directory_looked_at(
    operator: Client, watched: WatchedContainer
) -> None:
    answer = operator.post(place(watched, "look/"), follow=True)
    assert "is being looked at" in text(answer)
    assert operator.get(place(watched, "look/")).status_code == 405


def test_an_operator_puts_one_back(operator: Client, watched: WatchedContainer) -> None:
    backup = backed_up(watched)
    where = f"/updates/backup/{backup.pk}/restore/"
    shown = text(operator.get(where))
    assert "is backed up first" in shown
    answer = operator.post(where, {"reason": "Rows are lost"})
    upgrade = Upgrade.objects.get()
    assert answer["Location"] == f"/updates/upgrade/{upgrade.pk}/change/"
    assert upgrade.plan["data_from"] == backup.path
    assert "is busy" in text(operator.get(place(watched)))


def test_an_operator_deletes_one_but_not_the_only_good_one(
    operator: Client, watched: WatchedContainer
) -> None:
    only = backed_up(watched)
    assert "the only backup that is known to be good" in text(operator.get(place(watched)))
    refused = operator.post(f"/updates/backup/{only.pk}/remove/", {"reason": "x"})
    assert refused.status_code == 422
    other = backed_up(watched, 1)
    where = f"/updates/backup/{other.pk}/remove/"
    assert "for good" in text(operator.get(where))
    assert operator.post(where, {"reason": "To be forgotten"}).status_code == 302
    other.refresh_from_db()
    assert other.delete_requested_at is not None
    assert "Is being deleted" in text(operator.get(place(watched)))


def test_a_viewer_sees_them_and_why_nothing_can_be_pressed(
    viewer: Client, watched: WatchedContainer
) -> None:
    backup = backed_up(watched)
    shown = text(viewer.get(place(watched)))
    for permission in ("add_backup", "restore_backup", "delete_backup"):
        assert f"You lack the permission updates.{permission}" in shown
    assert viewer.post(place(watched, "now/"), {"reason": "x"}).status_code == 403
    assert viewer.post(place(watched, "look/")).status_code == 403
    assert viewer.post(f"/updates/backup/{backup.pk}/remove/", {"reason": "x"}).status_code == 403
