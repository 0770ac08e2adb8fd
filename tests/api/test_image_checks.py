"""Checks of module images, over the API."""

from __future__ import annotations

import pytest

from tests.api.caller import Caller
from tests.api.problems import assert_problem
from tests.modules.rows import NEW, image_checked, new_instance
from updates.models import ImageCheck

pytestmark = [pytest.mark.database, pytest.mark.usefixtures("redis_server")]


def test_checks_are_asked_for_by_the_names_of_instances_and_read_again(operator: Caller) -> None:
    instance = new_instance()
    new_instance("mymodule2")
    order = {"image": NEW, "instances": ["mymodule1", "mymodule2"]}
    answer = operator.post("image-checks", **order)
    assert (answer.status, answer.body["requested"]) == (202, 2)
    assert {row["verdict"] for row in answer.body["checks"]} == {"waiting"}
    ImageCheck.objects.all().delete()
    check = image_checked(instance)
    (row,) = operator.get(f"image-checks?instance={instance.pk}&verdict=refused").body["results"]
    assert row == operator.get(f"image-checks/{check.pk}").body
    assert (row["instance"]["name"], row["stale"], row["requested_by"]) == ("mymodule1", "", "olga")
    assert [finding["ok"] for finding in row["findings"]] == [True, False]
    ImageCheck.objects.update(is_replaced=True)
    again = operator.get(f"image-checks/{check.pk}").body
    assert again["stale"] == "Its name stands for another image by now."


def test_what_makes_no_sense_is_refused_and_a_viewer_may_not_ask(
    operator: Caller, viewer: Caller
) -> None:
    new_instance()
    nobody = operator.post("image-checks", image=NEW, instances=["nobody1"])
    assert (nobody.status, "instances" in str(nobody.body)) == (400, True)
    no_image = operator.post("image-checks", image="Not One", instances=["mymodule1"])
    assert no_image.status in (409, 422), no_image.body
    refused = viewer.post("image-checks", image=NEW, instances=["mymodule1"])
    assert_problem(refused, status=403, code="FW-102")
    assert not ImageCheck.objects.exists()
