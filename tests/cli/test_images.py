"""`manage.py image`, of what is removed from engines."""

from __future__ import annotations

import pytest
from django.utils import timezone

from devices.models import EngineAccess
from tests.cli.conftest import run
from tests.journal.rows import new_device
from updates.models import ImageRemovalPart

pytestmark = [pytest.mark.database, pytest.mark.usefixtures("redis_server")]

FULL = "docker.io/library/shop:1"


def test_a_removal_says_where_it_waits_and_what_became_of_the_others() -> None:
    far, near = new_device("far"), new_device("near")
    for device in (far, near):
        EngineAccess.objects.create(device=device, way=EngineAccess.Way.UNIX)
    ordered = run("image", "remove", "shop:1", "--all", "--reason", "Room", "--json").json
    ImageRemovalPart.objects.filter(device=far).update(
        outcomes=[[FULL, "removed", ""]], finished_at=timezone.now()
    )
    said = run("image", "show", ordered["id"])
    assert [line.split() for line in said.lines[1:]] == [
        ["far", FULL, "removed"], ["near", "-", "waits"],
    ]  # fmt: skip
    shown = run("image", "show", "--json").json
    assert (shown["id"], shown["references"]) == (ordered["id"], [FULL])
    assert {one["device"]["name"]: bool(one["finished_at"]) for one in shown["devices"]} == {
        "far": True, "near": False,
    }  # fmt: skip
