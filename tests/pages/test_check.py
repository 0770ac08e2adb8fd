"""The Check panel of an artifact's page."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from devices.models import Device
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

    Check.objects.filter(device__name="toaster").update(installed="bread-1")
    for check in Check.objects.select_related("artifact", "device"):
        carry_out_check(check)
    done = operator.get(panel, {"mark": mark_in(waiting.content)})
    shown = done.content.decode()
    assert done.status_code == 286
    assert 'data-device="box-1" data-verdict="compatible"' in shown
    assert 'data-device="toaster" data-verdict="refused"' in shown
    assert "It needs device type box; the device has toaster." in shown
    assert "release-1" in shown
    assert "installed then: <code>bread-1</code>" in shown
    assert "installed then: nothing known" in shown
    assert shown.count("0\xa0minutes ago") == 2


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
    assert "Choose devices, groups, a filter, or all devices." in shown
    assert not Check.objects.exists()


def test_only_those_that_failed_are_checked_again(
    operator: Client, artifact: Artifact, make_device: MakeDevice
) -> None:
    order = reverse("admin:updates_artifact_check", args=[artifact.pk])
    for name, verdict in (("box-1", "compatible"), ("box-2", "refused"), ("box-3", "unreachable")):
        make_device(name)
        operator.post(order, {"devices": [Device.objects.get(name=name).pk]})
        Check.objects.filter(device__name=name).update(verdict=verdict)
    operator.post(order, {"again_all": "bad"})
    assert sorted(waiting_devices()) == ["box-2", "box-3"]
    operator.post(order, {"again_all": "all"})
    assert sorted(waiting_devices()) == ["box-1", "box-2", "box-3"]


def test_a_stale_check_says_why(
    operator: Client, artifact: Artifact, make_device: MakeDevice
) -> None:
    page = reverse("admin:updates_artifact_change", args=[artifact.pk])
    device = make_device("box-1")
    check = Check.objects.create(
        artifact=artifact, device=device, verdict="compatible", requested_by_name="alice",
        requested_at=timezone.now(), checked_at=timezone.now(),
    )  # fmt: skip
    assert "Stale:" not in operator.get(page).content.decode()
    Check.objects.filter(pk=check.pk).update(checked_at=timezone.now() - timedelta(days=30))
    assert "Stale: It is older than 1\xa0day." in operator.get(page).content.decode()
    device.provides = {"artifact_name": "release-0"}
    device.save()
    shown = operator.get(page).content.decode()
    assert "Stale: Installed was nothing known then, and is release-0 now." in shown


def test_checks_are_counted_by_verdict_and_shown_by_it(
    operator: Client, artifact: Artifact, make_device: MakeDevice
) -> None:
    page = reverse("admin:updates_artifact_change", args=[artifact.pk])
    for name, verdict in (("box-1", "compatible"), ("box-2", "refused")):
        Check.objects.create(
            artifact=artifact, device=make_device(name), verdict=verdict,
            requested_by_name="alice", requested_at=timezone.now(), checked_at=timezone.now(),
        )  # fmt: skip
    shown = operator.get(f"{page}?verdict=refused").content.decode()
    assert 'data-device="box-2"' in shown
    assert 'data-device="box-1"' not in shown
    assert 'data-device="box-1"' in operator.get(f"{page}?verdict=nonsense").content.decode()


def waiting_devices() -> list[str]:
    found = Check.objects.filter(verdict=Check.Verdict.WAITING)
    return list(found.values_list("device__name", flat=True))
