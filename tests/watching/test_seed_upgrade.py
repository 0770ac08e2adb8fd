"""/api/upgrade/…, field by field as the seed has it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from pytest_django import Settings

from portal.core.actors import PORTAL
from portal.core.tokens import create_token
from tests.journal.rows import brought_to
from tests.journal.rows import held as held_by_worker
from tests.watchdog.records import new_folder
from tests.watching.rows import watched
from updates.machine import HAPPY_PATH, Event, State
from updates.models import Upgrade, WatchedContainer
from updates.services.container_desk import order_upgrade
from updates.services.portal_container import know_portal
from updates.services.seed_progress import progress_of
from updates.watchdog.durable import locked
from updates.watchdog.folder import Folder
from updates.watchdog.heartbeat import Heart

pytestmark = [pytest.mark.database, pytest.mark.usefixtures("redis_server")]

BASE = "/api/upgrade/"
NEWER: dict[str, Any] = {"newest": "1.1.0", "newest_digest": f"sha256:{'b' * 64}"}


def client_of(name: str, *permissions: str) -> Client:
    user = User.objects.create_user(name, is_staff=True)
    wanted = ("view_watchedcontainer", "view_upgrade", *permissions)
    user.user_permissions.set(Permission.objects.filter(codename__in=wanted))
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def operator(db: None) -> Client:
    return client_of("olga", "upgrade_container", "cancel_upgrade", "upgrade_portal")


@pytest.fixture
def viewer(db: None) -> Client:
    return client_of("bob")


@pytest.fixture
def folder(tmp_path: Path, settings: Settings) -> Folder:
    settings.AUTO_UPGRADE_ENABLED = True
    settings.DATA_DIR = tmp_path
    settings.IMAGE_NAME = "registry.example/fleetwright"
    settings.VERSION = "1.0.0"
    return new_folder(tmp_path)


@pytest.fixture
def alive(folder: Folder) -> Iterator[Heart]:
    """A watchdog that beats, and takes nothing."""
    with locked(folder.holder, waits=False), Heart(folder, interval=60, version="1") as heart:
        yield heart


def read(client: Client, place: str, code: int = 200) -> Any:  # noqa: ANN401 - JSON
    answer = client.get(f"{BASE}{place}")
    assert answer.status_code == code, answer.content
    return answer.json()


def trigger(client: Client, code: int = 200, **order: object) -> Any:  # noqa: ANN401 - JSON
    answer = client.post(f"{BASE}trigger", json.dumps(order), content_type="application/json")
    assert answer.status_code == code, answer.content
    return answer.json()


def test_a_portal_that_is_not_set_up_says_so(operator: Client, settings: Settings) -> None:
    settings.AUTO_UPGRADE_ENABLED = False
    said = read(operator, "status")
    assert said == {
        "enabled": False, "deploymentMethod": said["deploymentMethod"],
        "currentVersion": settings.VERSION, "activeUpgrade": None,
    }  # fmt: skip
    assert said["deploymentMethod"] in {"docker", "kubernetes", "lxc", "manual"}
    refused = trigger(operator, 400)
    assert refused["success"] is False
    assert refused["issues"] == [refused["message"]]
    assert read(operator, "history") == {"history": [], "count": 0}


@pytest.mark.usefixtures("alive")
@pytest.mark.database(transaction=True)
def test_the_portal_is_triggered_with_nothing_but_a_post(operator: Client, folder: Folder) -> None:
    know_portal()
    assert read(operator, "status")["enabled"] is True
    said = trigger(operator, targetVersion="2.14.0")
    assert set(said) == {"success", "upgradeId", "currentVersion", "targetVersion", "message"}
    assert (said["success"], said["message"]) == (True, "Upgrade initiated")
    assert (said["currentVersion"], said["targetVersion"]) == ("1.0.0", "2.14.0")
    written = json.loads(folder.trigger.read_text())
    assert written["upgradeId"] == said["upgradeId"]
    active = read(operator, "status")["activeUpgrade"]
    assert active["upgradeId"] == said["upgradeId"]
    assert isinstance(active["startedAt"], int)
    assert trigger(operator, 409)["success"] is False


def test_another_container_is_chosen_by_its_name_and_every_field_may_be_left_out(
    operator: Client,
) -> None:
    watched("shop", **NEWER)
    said = trigger(operator, instance="shop")
    assert (said["currentVersion"], said["targetVersion"]) == ("1.0.0", "1.1.0")
    upgrade = Upgrade.objects.get()
    assert (upgrade.plan["force"], upgrade.plan["backup"]["wanted"]) == (False, True)
    assert upgrade.requested_by_name == "olga"
    assert read(operator, "status?instance=shop")["currentVersion"] == "1.0.0"
    assert trigger(operator, 409, instance="shop")["message"].startswith("host-of-shop is busy")
    assert read(operator, "status?instance=nobody", 404)["error"]
    assert trigger(operator, 400, instance="nobody")["success"] is False


@pytest.mark.parametrize(
    "order",
    [
        {"targetVersion": "two"},
        {"targetVersion": 2},
        {"targetVersion": "1.2.3; rm"},
        {"force": "yes"},
        {"backup": 1},
        {"instance": ["shop"]},
        {"unknown": 1},
        {"reason": "x" * 5000},
    ],
)
def test_what_breaks_the_shape_is_400_and_nothing_is_ordered(
    operator: Client, order: dict[str, object]
) -> None:
    watched("shop", **NEWER)
    said = trigger(operator, 400, **({"instance": "shop"} | order))
    assert (said["success"], bool(said["message"])) == (False, True)
    assert not Upgrade.objects.exists()


def ordered(**fields: object) -> Upgrade:
    row = watched("shop", **NEWER)
    return order_upgrade(watched=row, actor=PORTAL, reason="a test")


def test_a_status_is_told_in_the_seeds_words_state_by_state(operator: Client) -> None:
    upgrade = ordered()
    where = f"status/{upgrade.pk}"
    assert read(operator, where)["status"] == "pending"
    journal, seen = held_by_worker(upgrade), []
    for state in HAPPY_PATH:
        brought_to(state, journal)
        said = read(operator, where)
        seen.append((said["status"], said["progress"]))
    assert list(dict.fromkeys(seen)) == [
        ("pending", 0), ("pending", 5), ("backing_up", 20), ("downloading", 40), ("restarting", 60),
        ("health_check", 80), ("complete", 100),
    ]  # fmt: skip
    assert set(said) == {
        "upgradeId", "status", "progress", "currentStep", "logs", "startedAt", "completedAt", "fromVersion",
        "toVersion",
    }  # fmt: skip
    told = [one for one in said["logs"] if not one.startswith("Ordered")]
    assert told[:3] == ["Upgrade initiated", "Checking", "Creating backup"]
    assert (said["fromVersion"], said["toVersion"]) == ("1.0.0", "1.1.0")


@pytest.mark.parametrize(
    ("events", "status"),
    [
        ([Event.CANCEL], "failed"),
        ([Event.DONE, Event.FAILED], "failed"),
        ([Event.DONE] * 5 + [Event.FAILED], "rolled_back"),
        ([Event.DONE] * 5 + [Event.FAILED, Event.FAILED], "failed"),
    ],
)
def test_what_went_wrong_has_an_error(operator: Client, events: list[Event], status: str) -> None:
    upgrade = ordered()
    journal = held_by_worker(upgrade)
    for event in events:
        journal.take(event)
    while journal.state is not State.FINISHED:
        journal.take(Event.DONE)
    said = read(operator, f"status/{upgrade.pk}")
    assert said["status"] == status
    assert said["error"]


def test_every_state_has_a_word() -> None:
    for state in set(State) - {State.FINISHED}:
        assert progress_of(Upgrade(state=state)).step


def test_ids_that_are_none_and_those_of_nobody(operator: Client) -> None:
    assert read(operator, "status/1", 400)["error"]
    assert read(operator, f"status/{uuid.uuid4()}", 404)["error"]
    for word, code in (("1", 400), (str(uuid.uuid4()), 404)):
        answer = operator.post(f"{BASE}cancel/{word}")
        assert (answer.status_code, answer.json()["success"]) == (code, False)


def test_the_history_is_as_long_as_is_asked_for(operator: Client) -> None:
    ordered()
    said = read(operator, "history?instance=shop&limit=5")
    assert said["count"] == len(said["history"]) == 1
    assert said["history"][0]["status"] == "pending"
    assert said["history"][0]["backupPath"] is None
    facts = {"kept": True, "backup": {"path": "/backups/a.tar.gz"}}
    Upgrade.objects.update(facts=facts)
    (row,) = read(operator, "history?instance=shop&limit=5")["history"]
    assert (row["backupPath"], row["rollbackAvailable"]) == ("/backups/a.tar.gz", True)
    for limit in ("0", "-1", "x", ""):
        assert read(operator, f"history?instance=shop&limit={limit}", 400)["error"]


def test_a_cancel_ends_what_waits_and_is_409_when_it_is_over(operator: Client) -> None:
    upgrade = ordered()
    answer = operator.post(f"{BASE}cancel/{upgrade.pk}")
    assert (answer.status_code, answer.json()["success"]) == (200, True)
    assert read(operator, f"status/{upgrade.pk}")["status"] == "failed"
    again = operator.post(f"{BASE}cancel/{upgrade.pk}")
    assert (again.status_code, again.json()["success"]) == (409, False)


def test_who_may_only_look_starts_and_ends_nothing(viewer: Client, operator: Client) -> None:
    upgrade = ordered()
    assert read(viewer, f"status/{upgrade.pk}")["status"] == "pending"
    assert viewer.post(f"{BASE}cancel/{upgrade.pk}").status_code == 403
    trigger(viewer, 403, instance="shop")
    trigger(operator, 403, instance="shop", force=True)
    trigger(operator, 403, instance="shop", backup=False)


def test_without_a_login_there_is_nothing_and_a_token_is_one(
    alive: Heart, settings: Settings
) -> None:
    know_portal()
    for place in ("status", "history", "test-configuration", f"status/{uuid.uuid4()}"):
        assert Client().get(f"{BASE}{place}").status_code == 401
    assert Client().post(f"{BASE}trigger").status_code == 401
    user = User.objects.create_superuser("robot")
    secret = create_token(user=user, name="robot", actor=PORTAL)
    answer = Client().get(f"{BASE}status", headers={"Authorization": f"Bearer {secret}"})
    assert answer.json()["currentVersion"] == "1.0.0"


def test_looking_has_no_effect(viewer: Client, folder: Folder) -> None:
    know_portal()
    before = (list(WatchedContainer.objects.values()), sorted(folder.journals.parent.rglob("*")))
    for place in ("status", "history", "test-configuration"):
        read(viewer, place)
    assert (
        list(WatchedContainer.objects.values()),
        sorted(folder.journals.parent.rglob("*")),
    ) == before


def test_the_configuration_is_told_item_by_item(viewer: Client, alive: Heart) -> None:
    said = read(viewer, "test-configuration")
    assert set(said) == {"success", "results", "overallMessage"}
    items = {one["check"]: one for one in said["results"]}
    assert set(items) == {
        "Environment Variable", "Deployment Method", "Data Directory", "Backup Directory", "Upgrader Sidecar",
        "Disk Space", "Docker Socket Permissions",
    }  # fmt: skip
    assert all(set(one) == {"check", "passed", "message", "details"} for one in said["results"])
    for check in ("Environment Variable", "Data Directory", "Upgrader Sidecar"):
        assert items[check]["passed"], items[check]
