"""Checks of an artifact over the API."""

from __future__ import annotations

import uuid

import pytest
from django.core.files.base import ContentFile
from pytest_django import DjangoAssertNumQueries

from devices.models import Device, DeviceGroup
from portal.core.actors import PORTAL
from tests.api.caller import Caller
from tests.api.conftest import MakeArtifact, MakeDevice
from tests.api.problems import assert_problem
from updates.models import Check, ModuleCheck
from updates.services.artifacts import upload_update_module
from updates.services.checks import carry_out_check, request_checks
from updates.services.module_checks import carry_out_module_check

pytestmark = pytest.mark.database


def test_a_requested_check_waits_until_it_is_done(
    operator: Caller, make_artifact: MakeArtifact, make_device: MakeDevice
) -> None:
    artifact, device = make_artifact(), make_device()

    asked = operator.post(f"artifacts/{artifact.pk}/checks", devices=[device.pk])
    listed = operator.get(f"artifacts/{artifact.pk}/checks")

    assert asked.status == 202
    assert asked.body["requested"] == 1
    assert asked.body["checks"][0]["verdict"] == "waiting"
    assert asked.body["checks"][0]["device"] == {"id": device.pk, "name": device.name}
    assert listed.body["results"] == asked.body["checks"]


def test_a_check_that_was_done_says_what_was_found(
    operator: Caller, make_artifact: MakeArtifact, make_device: MakeDevice
) -> None:
    artifact, device = make_artifact(), make_device(device_type="teapot")
    operator.post(f"artifacts/{artifact.pk}/checks", devices=[device.pk])
    carry_out_check(Check.objects.select_related("artifact", "device").get())

    found = operator.get(f"artifacts/{artifact.pk}/checks").body["results"][0]

    assert found["verdict"] == "refused"
    assert not found["stale"]
    assert {key: found["findings"][0][key] for key in ("what", "ok")} == {
        "what": "device type",
        "ok": False,
    }
    assert found["changes"]["artifact_name"] == [None, "release-1"]


def test_groups_and_all_devices_can_be_checked(
    operator: Caller, make_artifact: MakeArtifact, make_device: MakeDevice
) -> None:
    artifact = make_artifact()
    member, _other = make_device(), make_device()
    group = DeviceGroup.objects.create(name="Some")
    group.members.add(member)

    some = operator.post(f"artifacts/{artifact.pk}/checks", groups=[group.pk], devices=[member.pk])
    everything = operator.post(f"artifacts/{artifact.pk}/checks", all=True)

    assert (some.body["requested"], everything.body["requested"]) == (1, 2)


def test_checking_many_devices_costs_no_more_queries_than_checking_one(
    make_device: MakeDevice,
    make_artifact: MakeArtifact,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    artifact = make_artifact()
    for _ in range(30):
        make_device()

    for _ in ("new ones", "the same again"):
        with django_assert_num_queries(5):  # begin, devices, checks, audit, commit
            checks = request_checks(artifact=artifact, devices=Device.objects.all(), actor=PORTAL)
        assert {check.pk for check in checks} == set(Check.objects.values_list("pk", flat=True))


def test_a_check_of_nothing_is_refused(operator: Caller, make_artifact: MakeArtifact) -> None:
    artifact = make_artifact()

    nothing = operator.post(f"artifacts/{artifact.pk}/checks")
    nobody = operator.post(f"artifacts/{artifact.pk}/checks", all=True)
    unknown = operator.post(f"artifacts/{artifact.pk}/checks", devices=[17])

    assert_problem(nothing, status=400, code="API-400")
    assert_problem(nobody, status=422, code="FW-100")
    assert_problem(unknown, status=400, code="API-400")
    assert unknown.body["errors"] == {"devices": ["There is none with the id 17."]}


def test_checks_of_an_unknown_artifact_are_not_found(operator: Caller) -> None:
    assert_problem(operator.get(f"artifacts/{uuid.uuid4()}/checks"), status=404, code="API-404")


def test_an_update_module_is_looked_at_on_devices(
    operator: Caller, viewer: Caller, make_device: MakeDevice
) -> None:
    make_device()
    content = ContentFile(b"#!/bin/sh\nexit 0\n")
    module = upload_update_module(name="web-file", file=content, actor=PORTAL)
    address = f"update-modules/{module.pk}/checks"
    assert_problem(viewer.post(address, all=True), status=403, code="FW-102")
    answer = operator.post(address, all=True)
    assert (answer.status, answer.body) == (202, {"requested": 1})
    (row,) = viewer.get(address).body["results"]
    assert row["verdict"] == "waiting"

    carry_out_module_check(ModuleCheck.objects.select_related("module", "device").get())
    (row,) = viewer.get(address, verdict="compatible").body["results"]
    assert row["findings"][0]["what"] == "interpreter"
