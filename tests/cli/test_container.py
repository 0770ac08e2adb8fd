"""`manage.py container`."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cli.conftest import run
from tests.environment.ports import free_port
from tests.journal.rows import new_device
from tests.watching.rows import SHOP, container, seen, upgraded, watched
from updates.models import Upgrade, WatchedContainer

pytestmark = [pytest.mark.database, pytest.mark.usefixtures("redis_server")]

NEWER: dict[str, Any] = {"newest": "1.1.0", "newest_digest": f"sha256:{'b' * 64}"}


def test_containers_are_watched_listed_and_let_go() -> None:
    seen(new_device("far"), container("web"), container("job"))
    words = ("container", "watch", "far", "web", "job", "--name", "shop", "--reason", "It is ours")
    assert run(*words).out.strip() == "shop is watched."
    listed = run("container", "list")
    assert listed.lines[1].split()[:4] == ["shop", "far", "1.0.0", "-"]
    assert run("container", "list", "--json").json[0]["containers"] == ["web", "job"]
    assert run("container", "unwatch", "shop", "--reason", "Sold").status == 0
    assert len(run("container", "list").lines) == 1
    assert run("container", "skip", "nobody", "1").status == 1


def test_an_upgrade_is_ordered() -> None:
    watched("shop", **NEWER)
    words = ("container", "upgrade", "shop", "--reason", "It is time")
    assert run(*words, "--no-backup").status == 0
    upgrade = Upgrade.objects.get()
    assert upgrade.to_version == f"{SHOP}:1.1.0"
    assert not upgrade.plan["backup"]["wanted"]
    again = run(*words, "--version", "1.2.0")
    assert again.status == 1
    assert "is busy" in again.error


def test_a_preflight_says_what_is_wrong_and_its_status_says_so_too() -> None:
    watched("shop", **NEWER)
    said = run("container", "preflight", "shop", "--version", "1.1.0")
    assert said.status == 2
    assert said.lines[0] == "ok  No other upgrade of it is in progress."
    assert said.lines[-1].startswith("NO ")


def test_a_registry_that_is_down_is_an_error() -> None:
    watched("shop", image=f"127.0.0.1:{free_port()}/shop:1.0.0")
    said = run("container", "check", "shop")
    assert said.status == 1
    assert "cannot be reached" in said.error


def test_versions_are_skipped_offered_and_snoozed() -> None:
    watched("shop", **NEWER)
    assert "is not offered 1.1.0 any more" in run("container", "skip", "shop", "1.1.0").out
    assert WatchedContainer.objects.get().skipped == ["1.1.0"]
    assert "is offered 1.1.0 again" in run("container", "offer", "shop", "1.1.0").out
    assert run("container", "snooze", "shop", "--days", "2").status == 0
    assert WatchedContainer.objects.get().snoozed_until is not None


def test_whose_data_a_rollback_is_to_have_is_said_in_the_command() -> None:
    done = upgraded(watched("shop"))
    order = ("upgrade", "rollback", str(done.pk)[:8], "--reason", "Slow")
    refused = run(*order)
    assert (refused.status, "Say which data" in refused.error) == (1, True)
    assert run(*order, "--data-of", "now").status == 0
    assert Upgrade.objects.get(undoes=done).plan["data_from"] == ""
