"""`manage.py upgrades`, `upgrade` and `stuck`: the history, and the verbs for what is in it."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.utils import timezone

from devices.models import Device
from portal.cli.find import short
from portal.core.models import AuditEvent
from portal.settings.environment import BASE_DIR
from tests.cli.conftest import a_worker, new_box, run
from tests.journal.rows import brought_to, finished, held, let_lapse, new_upgrade
from updates.machine import State
from updates.models import Artifact, Upgrade
from updates.services.installed import PROVIDES_BEFORE

pytestmark = pytest.mark.database


@pytest.fixture
def upgrade(artifact: Artifact, device: Device) -> Upgrade:
    return new_upgrade(device, artifact)


def undoable(upgrade: Upgrade) -> Upgrade:
    """It succeeded, and can be rolled back."""
    finished(upgrade)
    Upgrade.objects.filter(pk=upgrade.pk).update(
        facts={"supports_rollback": True, PROVIDES_BEFORE: {"artifact_name": "app-1"}}
    )
    return upgrade


def test_the_history_is_listed_newest_first_in_columns(upgrade: Upgrade) -> None:
    newer = new_upgrade(new_box("box-2"), upgrade.artifact)

    head, *rows = run("upgrades").lines

    assert [row.split()[:4] for row in rows] == [
        [short(newer), "box-2", "app-1", "app-2"],
        [short(upgrade), "box-1", "app-1", "app-2"],
    ]
    assert head.index("STATE") == rows[0].index("Pending")


def test_the_history_is_found_by_the_words_of_its_filter(upgrade: Upgrade) -> None:
    other = new_upgrade(new_box("box-2"), upgrade.artifact)
    brought_to(State.INSTALLING, held(other))
    over = finished(new_upgrade(new_box("box-3"), upgrade.artifact))
    tomorrow = (timezone.now() + timedelta(days=1)).isoformat()

    def found(*words: str) -> list[str]:
        return [row["id"] for row in run("upgrades", "--json", *words).json]

    assert found() == [str(row.pk) for row in (over, other, upgrade)]
    assert found("--active") == [str(other.pk)]
    assert found("--device", "box-1") == [str(upgrade.pk)]
    assert found("--outcome", "succeeded", "--outcome", "failed") == [str(over.pk)]
    assert found("--state", "installing") == [str(other.pk)]
    assert found("--search", "box-3") == [str(over.pk)]
    assert found("--artifact", "app-2", "--by", "portal", "--limit", "1") == [str(over.pk)]
    assert found("--since", tomorrow) == found("--ended-since", tomorrow) == []
    assert run("upgrades", "--since", "soon").error == "--since: Enter a valid date/time."


def test_a_list_that_goes_on_says_so_to_people(upgrade: Upgrade) -> None:
    new_upgrade(new_box("box-2"), upgrade.artifact)

    assert "These are the first 1; --limit shows more." in run("upgrades", "--limit", "1").lines
    assert len(run("upgrades", "--limit", "1", "--json").json) == 1
    assert run("upgrades", "--limit", "0").status == 1


def test_the_whole_history_goes_into_a_file(upgrade: Upgrade) -> None:
    new_upgrade(new_box("box-2"), upgrade.artifact)

    rows = list(csv.DictReader(run("upgrades", "--csv", "--limit", "1").lines))
    lines = run("upgrades", "--jsonl", "--device", "box-1").lines

    assert [row["device"] for row in rows] == ["box-2", "box-1"]
    assert [json.loads(line)["id"] for line in lines] == [str(upgrade.pk)]


def test_an_upgrade_is_shown_as_the_api_shows_it(upgrade: Upgrade) -> None:
    waiting = new_upgrade(upgrade.device, upgrade.artifact)

    said = run("upgrade", "show", short(waiting))
    data = run("upgrade", "show", short(waiting), "--json").json

    assert said.facts["waits for"] == f"app-2 on box-1 ({short(upgrade)})"
    assert data["waits_for"] == str(upgrade.pk)
    assert data["reason"] == "a test"


@pytest.mark.parametrize("word", ["nope", "123", "0000", "", "' OR 1=1"])
def test_an_unknown_upgrade_is_named(upgrade: Upgrade, word: str) -> None:
    Upgrade.objects.exclude(pk=upgrade.pk).delete()
    if upgrade.pk.hex.startswith("0000"):
        pytest.skip("the id happens to be the one that nobody has")

    assert run("upgrade", "show", word).error == f"There is no upgrade {word!r}."


def test_a_waiting_upgrade_is_cancelled(upgrade: Upgrade) -> None:
    said = run("upgrade", "cancel", short(upgrade), "--reason", "Not today")

    assert said.facts["outcome"] == "Cancelled"
    assert AuditEvent.objects.get(action="upgrade.cancel").reason == "Not today"


def test_what_is_over_is_retried_or_rolled_back(upgrade: Upgrade) -> None:
    undoable(upgrade)

    retried = run("upgrade", "retry", short(upgrade), "--reason", "Again")
    undone = run("upgrade", "rollback", short(upgrade), "--reason", "Worse", "--json")

    assert retried.error == "It succeeded, so there is nothing to retry. [FW-100]"
    assert undone.json["undoes"] == str(upgrade.pk)


@pytest.mark.database(transaction=True)
def test_a_rollback_can_be_waited_for(upgrade: Upgrade) -> None:
    undoable(upgrade)

    with a_worker():
        said = run("upgrade", "rollback", short(upgrade), "--reason", "Worse", "--wait")

    assert said.status == 0, said.error
    assert said.lines[-1].endswith(": The change is in place.")


def test_an_upgrade_is_watched_from_its_first_event_to_its_last(upgrade: Upgrade) -> None:
    finished(upgrade)

    said = run("upgrade", "watch", short(upgrade), "--json")
    events = [json.loads(line) for line in said.lines]

    assert said.status == 0
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert events[-1]["to_state"] == "finished"


def test_watching_what_ended_badly_ends_with_status_1(upgrade: Upgrade) -> None:
    run("upgrade", "cancel", short(upgrade), "--reason", "Not today")

    said = run("upgrade", "watch", short(upgrade))

    assert said.status == 1
    assert said.error.endswith("It was cancelled before anything was changed.")
    assert said.lines[-1][10:] == "finished"


def test_what_is_stuck_is_listed_with_the_reason_and_put_back(upgrade: Upgrade) -> None:
    brought_to(State.INSTALLING, held(upgrade, worker="host/17"))
    held_still = run("upgrade", "recover", short(upgrade))
    let_lapse(upgrade)
    waiting = new_upgrade(upgrade.device, upgrade.artifact)

    said = run("stuck")
    recovered = run("upgrade", "recover", short(upgrade))
    refused = run("upgrade", "recover", short(waiting))

    assert held_still.error.startswith("host/17 holds it until ")
    assert said.lines[1].split()[4:10] == ["helps", "Its", "worker", "host/17", "was", "lost"]
    assert "It waits for app-2 on box-1" in said.lines[2]
    assert [row["kind"] for row in run("stuck", "--kind", "unheld", "--json").json] == ["unheld"]
    assert (recovered.status, refused.status) == (0, 1)
    assert refused.error.endswith("[UPD-104]")


def test_an_upgrade_is_ended_by_force(upgrade: Upgrade) -> None:
    brought_to(State.INSTALLING, held(upgrade))

    said = run("upgrade", "force-cancel", short(upgrade), "--reason", "It hangs")

    assert said.status == 0, said.error
    assert said.facts["outcome"] == "Broken"


def test_a_command_may_act_as_a_user_with_that_users_permissions(upgrade: Upgrade) -> None:
    bob = User.objects.create_user("bob")
    bob.user_permissions.set(Permission.objects.filter(codename="view_upgrade"))
    User.objects.create_user("gone", is_active=False)

    shown = run("upgrades", "--as", "bob")
    refused = run("upgrade", "cancel", short(upgrade), "--reason", "No", "--as", "bob")

    assert shown.status == 0, shown.error
    assert refused.error == "bob lacks the permission updates.cancel_upgrade. [FW-102]"
    assert run("stuck", "--as", "nobody").error == "There is no active user 'nobody'."
    assert run("stuck", "--as", "gone").error == "There is no active user 'gone'."
    assert run("device", "list", "--as", "bob").error.endswith("[FW-102]")


@pytest.mark.parametrize(
    ("words", "status"),
    [("upgrades --json", 0), ("upgrade show 12345678", 1), ("upgrades --state splendid", 2)],
)
@pytest.mark.database(transaction=True)
def test_a_shell_is_told_by_the_exit_status(database_url: str, words: str, status: int) -> None:
    process = subprocess.run(
        [sys.executable, "manage.py", *words.split()],
        cwd=BASE_DIR,
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "portal.settings",
            "DATABASE_URL": database_url,
        },
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert process.returncode == status, process.stderr
    assert (process.stdout == "[]\n") == (status == 0)
    assert "Traceback" not in process.stderr
