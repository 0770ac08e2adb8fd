"""The Check panel of an artifact's page."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from tests.pages.conftest import MakeDevice
from tests.pages.shown import mark_in
from updates.models import Artifact, Check, UpdateModule
from updates.services.checks import carry_out_check

pytestmark = pytest.mark.database


def test_a_check_is_ordered_waits_and_shows_what_was_found(
    operator: Client, artifact: Artifact, update_module: UpdateModule, make_device: MakeDevice
) -> None:
    make_device("box-1")
    make_device("toaster", device_type="toaster")
    page = reverse("admin:updates_artifact_change", args=[artifact.pk])
    order = reverse("admin:updates_artifact_check", args=[artifact.pk])
    panel = reverse("admin:updates_artifact_checks", args=[artifact.pk])

    assert operator.post(order, {"everything": "on"}).headers["Location"] == f"{page}#checks"
    waiting = operator.get(page)
    assert waiting.content.decode().count('data-verdict="waiting"') == 2
    assert operator.get(panel, {"mark": mark_in(waiting.content)}).status_code == 204

    for check in Check.objects.select_related("artifact", "device"):
        carry_out_check(check)
    done = operator.get(panel, {"mark": mark_in(waiting.content)})
    shown = done.content.decode()
    assert done.status_code == 286
    assert 'data-device="box-1" data-verdict="compatible"' in shown
    assert 'data-device="toaster" data-verdict="refused"' in shown
    assert "It needs device type box; the device has toaster." in shown
    assert "release-1" in shown


def test_one_device_is_checked_again(
    operator: Client, artifact: Artifact, make_device: MakeDevice
) -> None:
    order = reverse("admin:updates_artifact_check", args=[artifact.pk])
    make_device("box-1")
    make_device("box-2")
    operator.post(order, {"everything": "on"})
    Check.objects.update(verdict=Check.Verdict.COMPATIBLE)
    operator.post(order, {"again": "box-2"})
    assert Check.objects.get(verdict=Check.Verdict.WAITING).device.name == "box-2"


def test_a_check_of_nobody_says_so(operator: Client, artifact: Artifact) -> None:
    order = reverse("admin:updates_artifact_check", args=[artifact.pk])
    shown = operator.post(order, {}, follow=True).content.decode()
    assert "Choose devices, groups, or all devices." in shown
    assert not Check.objects.exists()
