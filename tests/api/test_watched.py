"""Watched containers over the API."""

from __future__ import annotations

from typing import Any

import pytest

from portal.core import clock
from tests.api.caller import Caller
from tests.api.problems import assert_problem
from tests.journal.rows import new_device
from tests.watching.rows import SHOP, container, seen, upgraded, watched
from updates.models import ContainerCheck, Upgrade

pytestmark = [pytest.mark.database, pytest.mark.usefixtures("redis_server")]

NEWER: dict[str, Any] = {"newest": "1.1.0", "newest_digest": f"sha256:{'b' * 64}"}


def test_containers_are_watched_set_and_read_again(operator: Caller) -> None:
    device = new_device("far")
    seen(device, container("web", volumes=["data"]))
    order = {"device": device.pk, "containers": ["web"], "reason": "It is ours"}
    answer = operator.post("watched-containers", **order)
    assert answer.status == 201
    assert (answer.body["image"], answer.body["version"]) == (f"{SHOP}:1.0.0", "1.0.0")
    where = answer.headers["Location"]
    change = {"keeps_backups": 4, "probes": [{"kind": "tcp", "host": "127.0.0.1", "port": 80}]}
    assert operator.patch(where, **change).body["keeps_backups"] == 4
    read = operator.get(where).body
    assert (read["probes"], read["volumes"]) == (change["probes"], ["data"])
    assert_problem(operator.patch(where, backup_dir="/"), status=400, code="API-400")
    wrong = operator.patch(where, dumps=[{"container": "db"}])
    assert_problem(wrong, status=400, code="API-400")
    again = operator.post("watched-containers", **order)
    assert_problem(again, status=422, code="FW-100")


def test_an_upgrade_is_ordered_and_a_second_one_names_the_first(operator: Caller) -> None:
    row = watched("shop", **NEWER)
    where = f"watched-containers/{row.pk}"
    answer = operator.post(f"{where}/upgrade", reason="It is time")
    assert (answer.status, answer.body["to_version"]) == (201, f"{SHOP}:1.1.0")
    assert answer.headers["Location"].endswith(f"/api/v1/upgrades/{answer.body['id']}")
    again = operator.post(f"{where}/upgrade", reason="It is time", version="2.0.0")
    assert_problem(again, status=409, code="UPD-104")
    assert again.body["holder"] == answer.body["id"]
    other = operator.post(f"{where}/upgrade", reason="x", version="other/app:1")
    assert_problem(other, status=422, code="FW-100")


def test_by_force_or_without_a_backup_is_another_permission(operator: Caller) -> None:
    row = watched("shop", **NEWER)
    where = f"watched-containers/{row.pk}/upgrade"
    assert operator.post(where, reason="x", backup=False, force=True).status == 201
    plan = Upgrade.objects.get().plan
    assert (plan["backup"]["wanted"], plan["force"]) == (False, True)


def test_a_preflight_is_asked_for_and_read(operator: Caller) -> None:
    where = f"watched-containers/{watched('shop', **NEWER).pk}"
    assert operator.get(f"{where}/preflight").status == 204
    asked = operator.post(f"{where}/check", version="1.2.0")
    assert (asked.status, asked.body["verdict"]) == (202, "waiting")
    found = [{"what": "space", "ok": True, "says": "There is room."}]
    ContainerCheck.objects.update(verdict="compatible", findings=found, checked_at=clock.now())
    read = operator.get(f"{where}/preflight").body
    assert (read["image"], read["findings"], read["stale"]) == (f"{SHOP}:1.2.0", found, "")


def test_versions_are_skipped_offered_and_snoozed(operator: Caller) -> None:
    where = f"watched-containers/{watched('shop', **NEWER).pk}"
    assert operator.post(f"{where}/skip", version="1.1.0").body["skipped"] == ["1.1.0"]
    assert operator.post(f"{where}/offer", version="1.1.0").body["skipped"] == []
    assert operator.post(f"{where}/snooze", days=7).body["snoozed_until"]
    long = operator.post(f"{where}/snooze", days=1000)
    assert_problem(long, status=400, code="API-400")
    assert operator.post(f"{where}/ask").status == 202
    assert operator.post(f"{where}/unwatch", reason="Sold").body["unwatched_at"]
    gone = operator.post(f"{where}/upgrade", reason="x")
    assert_problem(gone, status=422, code="FW-100")


def test_who_may_only_look_does_nothing(viewer: Caller) -> None:
    row = watched("shop", **NEWER)
    where = f"watched-containers/{row.pk}"
    assert viewer.get(where).status == 200
    for verb in ("upgrade", "check", "ask", "skip", "offer", "snooze", "unwatch"):
        answer = viewer.post(f"{where}/{verb}", version="1.1.0", days=1, reason="x")
        assert_problem(answer, status=403, code="FW-102")
    row.refresh_from_db()
    assert (row.skipped, row.snoozed_until, row.unwatched_at) == ([], None, None)


def test_whose_data_a_rollback_is_to_have_is_said_in_the_order(operator: Caller) -> None:
    done = upgraded(watched("shop"))
    where = f"upgrades/{done.pk}/roll-back"
    refused = operator.post(where, reason="Slow")
    assert (refused.status, "Say which data" in str(refused.body)) == (422, True)
    assert operator.post(where, reason="Slow", data_of="both").status == 400
    assert operator.post(where, reason="Slow", data_of="before").status == 201
    assert Upgrade.objects.get(undoes=done).plan["data_from"] == done.facts["backup"]["path"]
