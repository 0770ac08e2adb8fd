"""Deployments over the API."""

from __future__ import annotations

import uuid

import pytest
from django.contrib.auth.models import Permission, User
from django.core.files.base import ContentFile

from devices.models import Device, DeviceGroup
from devices.services.bulk import MEANT_ABOVE
from portal.core.actors import PORTAL
from tests.api.caller import Caller
from tests.api.conftest import MakeArtifact, MakeDevice
from tests.api.problems import assert_problem
from updates.models import Deployment, UpdateModule, Upgrade
from updates.services.artifacts import upload_update_module

pytestmark = pytest.mark.database


def test_a_deployment_orders_an_upgrade_for_each_device_that_fits(
    operator: Caller, make_artifact: MakeArtifact, make_device: MakeDevice
) -> None:
    artifact = make_artifact()
    one, teapot = make_device(), make_device(device_type="teapot")

    answer = operator.post("deployments", artifact=str(artifact.pk), all=True, reason="Fix it")

    assert answer.status == 201, answer.body
    assert answer.body["name"] == "release-1"
    assert answer.body["selection"] == {"everything": True}
    assert answer.body["requested_by"] == "alice"
    assert [row["device"] for row in answer.body["left_out"]] == [teapot.name]
    assert answer.body["counts"]["waiting"] == answer.body["counts"]["total"] == 1
    assert operator.get(answer.headers["Location"]).body == answer.body
    upgrades = operator.get("upgrades", deployment=answer.body["id"]).body["results"]
    assert [row["device"]["name"] for row in upgrades] == [one.name]


def test_devices_and_groups_are_chosen_together(
    operator: Caller, make_artifact: MakeArtifact, make_device: MakeDevice
) -> None:
    artifact = make_artifact()
    one, two, _three = make_device(), make_device(), make_device()
    group = DeviceGroup.objects.create(name="Some")
    group.members.add(one, two)

    answer = operator.post(
        "deployments",
        artifact=str(artifact.pk),
        devices=[one.pk],
        groups=[group.pk],
        reason="Fix it",
        name="Friday",
    )

    assert answer.body["name"] == "Friday"
    assert answer.body["selection"] == {"devices": [one.pk], "groups": [group.pk]}
    assert answer.body["counts"]["total"] == 2


def test_devices_are_chosen_by_the_filter_of_their_list(
    operator: Caller, make_artifact: MakeArtifact, make_device: MakeDevice
) -> None:
    artifact = make_artifact()
    one, _other = make_device(), make_device()
    Device.objects.filter(pk=one.pk).update(provides={"artifact_name": "release-0"})
    order = {"artifact": str(artifact.pk), "filter": {"installed": "release-0", "q": "box"}}

    shown = operator.post("deployments/preview", **order)
    answer = operator.post("deployments", **order, reason="Fix it")

    assert [row["name"] for row in shown.body["takes"]["first"]] == [one.name]
    assert answer.body["selection"] == {"filter": {"installed": "release-0", "q": "box"}}
    assert [row.device for row in Upgrade.objects.all()] == [one]


@pytest.mark.parametrize(
    ("choice", "says"),
    [
        ({"filter": {"nonsense": "1"}}, "A device filter knows no nonsense."),
        ({"filter": {"silent_days": "soon"}}, "The device filter is wrong: silent_days"),
        ({"filter": {"inconsistent": "yes"}}, "wrong: inconsistent: Say true or false."),
        ({"filter": {"q": " "}}, "filter.q: This field may not be blank."),
        ({"filter": {}}, "Choose devices, groups, a filter, or all devices."),
        ({"filter": {"q": "box"}, "all": True}, "Choose one way only"),
        ({"filter": ["q"]}, "filter: Expected a dictionary"),
    ],
)
def test_a_filter_that_makes_no_sense_is_refused(
    choice: dict[str, object],
    says: str,
    operator: Caller,
    make_artifact: MakeArtifact,
    make_device: MakeDevice,
) -> None:
    make_device()
    answer = operator.post(
        "deployments", artifact=str(make_artifact().pk), reason="Fix it", **choice
    )
    assert_problem(answer, status=400, code="API-400")
    assert says in answer.body["detail"]
    assert not Deployment.objects.exists()


def test_whoever_may_see_no_device_deploys_to_none(
    make_artifact: MakeArtifact, make_device: MakeDevice
) -> None:
    device, artifact = make_device(), make_artifact()
    carol = User.objects.create_user("carol")
    carol.user_permissions.set(
        Permission.objects.filter(
            codename__in=["deploy_artifact", "check_artifact", "view_artifact", "view_check", "view_deployment",
                          "view_release", "view_updatemodule", "view_modulecheck"]
        )
    )  # fmt: skip
    caller = Caller(carol)
    upload_update_module(name="web-file", file=ContentFile(b"#!/bin/sh\n"), actor=PORTAL)
    module = UpdateModule.objects.get()
    order = {"artifact": str(artifact.pk), "devices": [device.pk]}

    shown = caller.post("deployments/preview", **order)

    assert (shown.status, shown.body["takes"]["count"]) == (200, 0)
    for address, words in (
        ("deployments", order | {"reason": "Fix it"}),
        (f"artifacts/{artifact.pk}/checks", {"all": True}),
        (f"releases/{artifact.release_id}/check", {"all": True}),
        (f"update-modules/{module.pk}/checks", {"filter": {"q": "box"}}),
    ):
        answer = caller.post(address, **words)
        assert_problem(answer, status=422, code="FW-100")
        assert answer.body["detail"] == "No device is chosen."
    assert not Upgrade.objects.exists()


def test_an_order_for_many_devices_says_how_many_it_means(
    operator: Caller, make_artifact: MakeArtifact, make_device: MakeDevice
) -> None:
    """Those that it does not fit do not count: the number is the preview's."""
    artifact = make_artifact()
    fits = make_device()
    make_device(device_type="teapot")
    Device.objects.bulk_create(
        Device(name=f"box-{number}", device_type=fits.device_type, driver=Device.Driver.LOCAL)
        for number in range(MEANT_ABOVE)
    )
    order = {"artifact": str(artifact.pk), "all": True, "reason": "Fix it"}
    for wrong, says in (({}, 'would be 101 devices: send it as "count"'), ({"count": 102}, "101")):
        answer = operator.post("deployments", **order, **wrong)
        assert_problem(answer, status=422, code="FW-100")
        assert says in answer.body["detail"]
    assert not Deployment.objects.exists()
    assert operator.post("deployments", **order, count=101).body["counts"]["total"] == 101


def test_a_preview_says_who_gets_it_and_changes_nothing(
    operator: Caller, make_artifact: MakeArtifact, make_device: MakeDevice
) -> None:
    artifact = make_artifact()
    takes, has, teapot = make_device(), make_device(), make_device(device_type="teapot")
    has.provides = {"artifact_name": "release-1", **artifact.provides}
    has.save()

    answer = operator.post("deployments/preview", artifact=str(artifact.pk), all=True)

    assert answer.status == 200, answer.body
    assert answer.body["takes"] == {"count": 1, "first": [{"id": takes.pk, "name": takes.name}]}
    assert answer.body["unchanged"] == {"count": 1, "first": [{"id": has.pk, "name": has.name}]}
    assert answer.body["left_out"]["count"] == 1
    assert answer.body["left_out"]["first"][0]["device"] == teapot.name
    assert not Deployment.objects.exists()
    assert not Upgrade.objects.exists()


def test_a_deployment_that_fits_nobody_is_refused(
    operator: Caller, make_artifact: MakeArtifact, make_device: MakeDevice
) -> None:
    make_device(device_type="teapot")

    answer = operator.post(
        "deployments", artifact=str(make_artifact().pk), all=True, reason="Fix it"
    )

    assert_problem(answer, status=422, code="FW-100")
    assert not Deployment.objects.exists()


def test_an_order_that_is_wrong_names_its_fields(operator: Caller) -> None:
    answer = operator.post(
        "deployments", artifact=str(uuid.uuid4()), devices=["x", 2**70], groups=[1], reason=" "
    )

    assert_problem(answer, status=400, code="API-400")
    assert set(answer.body["errors"]) == {
        "artifact",
        "devices.0",
        "devices.1",
        "groups",
        "reason",
    }


def test_a_cancelled_deployment_leaves_nothing_waiting(
    operator: Caller, make_artifact: MakeArtifact, make_device: MakeDevice
) -> None:
    make_device(), make_device()
    deployment = operator.post(
        "deployments", artifact=str(make_artifact().pk), all=True, reason="Fix it"
    ).body

    answer = operator.post(f"deployments/{deployment['id']}/cancel", reason="Not today")
    counts = operator.get(f"deployments/{deployment['id']}").body["counts"]

    assert (answer.status, answer.body) == (200, {"cancelled": 2})
    assert counts["outcomes"]["cancelled"] == 2
    assert counts["is_over"]


def test_the_list_is_short_about_each(
    operator: Caller, make_artifact: MakeArtifact, make_device: MakeDevice
) -> None:
    make_device()
    artifact = make_artifact()
    operator.post("deployments", artifact=str(artifact.pk), all=True, reason="Fix it")

    rows = operator.get("deployments", artifact=str(artifact.pk)).body["results"]

    assert [row["left_out_count"] for row in rows] == [0]
    assert not {"left_out", "counts", "selection"} & set(rows[0])
