"""Removing images from engines, over the API."""

from __future__ import annotations

import pytest

from devices.models import Device, EngineAccess
from devices.services.bulk import MEANT_ABOVE
from portal.core.models import AuditEvent
from tests.api.caller import Caller
from tests.api.problems import assert_problem
from tests.journal.rows import new_device
from updates.models import ImageRemoval
from updates.recipes.engine_images import KEEP

pytestmark = [pytest.mark.database, pytest.mark.usefixtures("redis_server")]

FULL = "docker.io/library/shop:1"


def reached(name: str) -> Device:
    """A device with an engine that was never asked what it has."""
    device = new_device(name)
    EngineAccess.objects.create(device=device, way=EngineAccess.Way.UNIX)
    return device


def test_a_removal_is_ordered_and_read_again_for_what_became_of_each_image(
    operator: Caller,
) -> None:
    device = reached("far")
    reached("not chosen")
    order = {"references": ["shop:1"], "devices": [device.pk], "reason": "Room"}
    answer = operator.post("image-removals", **order)
    assert (answer.status, answer.body["references"]) == (201, [FULL])
    named = {"id": device.pk, "name": "far"}
    assert answer.body["devices"] == [
        {"device": named, "outcomes": [], "error": "", "finished_at": None}
    ]
    ImageRemoval.objects.get().parts.update(outcomes=[[FULL, "removed", ""]])
    again = operator.get(answer.headers["Location"]).body
    assert again["devices"][0]["outcomes"] == [[FULL, "removed", ""]]
    listed = operator.get("image-removals").body["results"]
    assert [(row["id"], row["requested_by"]) for row in listed] == [(again["id"], "alice")]
    assert "devices" not in listed[0]
    record = AuditEvent.objects.get(action="image.remove")
    assert (record.actor, record.reason) == ("alice", "Room")


def test_the_same_order_sent_again_is_carried_out_once(operator: Caller) -> None:
    reached("far")
    order = {"references": ["shop:1"], "all": True, "reason": "Room"}
    first = operator.with_key("one").post("image-removals", **order)
    assert operator.with_key("one").post("image-removals", **order).body == first.body
    assert ImageRemoval.objects.count() == 1


def test_orders_that_make_no_sense_are_refused(operator: Caller) -> None:
    reached("far")
    whole = {"references": ["shop:1"], "all": True, "reason": "Room"}
    for missing in whole:
        order = {word: value for word, value in whole.items() if word != missing}
        assert operator.post("image-removals", **order).status == 400
    for references, says in (
        (["Shop"], "upper case"),
        ([], "between"),
        (["shop:1", f"{KEEP}:mail7-0"], "a way back holds it"),
    ):
        answer = operator.post("image-removals", **(whole | {"references": references}))
        assert_problem(answer, status=422, code="FW-100")
        assert says in answer.body["detail"]
    EngineAccess.objects.all().delete()
    assert "None of these engines" in operator.post("image-removals", **whole).body["detail"]
    assert not ImageRemoval.objects.exists()


def test_an_order_for_many_devices_says_how_many_it_means(operator: Caller) -> None:
    for number in range(MEANT_ABOVE + 1):
        reached(f"box-{number}")
    order = {"references": ["shop:1"], "all": True, "reason": "Room"}
    for wrong in ({}, {"count": 100}):
        answer = operator.post("image-removals", **order, **wrong)
        assert_problem(answer, status=422, code="FW-100")
        assert "101 devices" in answer.body["detail"]
    assert not ImageRemoval.objects.exists()
    assert len(operator.post("image-removals", **order, count=101).body["devices"]) == 101


def test_who_may_not_do_it_orders_nothing(viewer: Caller, stranger: Caller) -> None:
    reached("far")
    order = {"references": ["shop:1"], "all": True, "reason": "Room"}
    assert viewer.post("image-removals", **order).status == 403
    assert viewer.get("image-removals").status == 200
    assert stranger.get("image-removals").status == 403
    assert not ImageRemoval.objects.exists()
