"""A check looks and touches nothing; its answer is kept with its age."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from devices.models import Device
from portal.core.errors import Refused
from portal.core.models import AuditEvent
from tests.journal.rows import new_artifact, new_device
from tests.services.people import operator
from updates.models import Artifact, Check
from updates.services.checks import carry_out_check, is_stale, request_checks

pytestmark = pytest.mark.database


@pytest.fixture
def device(tmp_path: Path) -> Device:
    """A device with an Update Module for the artifacts of these tests."""
    device = new_device(root=str(tmp_path))
    module = Path(device.modules_dir) / "recorder"
    module.parent.mkdir(parents=True)
    module.write_text("#!/bin/sh\n")
    module.chmod(0o755)
    return device


def checked(device: Device, artifact: Artifact) -> Check:
    (check,) = request_checks(artifact=artifact, devices=[device], actor=operator())
    return carry_out_check(check)


def refusals(check: Check) -> list[str]:
    return [finding["what"] for finding in check.findings if not finding["ok"]]


def test_an_asked_for_check_waits_and_is_on_record() -> None:
    artifact = new_artifact()
    (check,) = request_checks(artifact=artifact, devices=[new_device()], actor=operator())

    assert (check.verdict, check.checked_at) == (Check.Verdict.WAITING, None)
    entry = AuditEvent.objects.get()
    assert (entry.action, entry.data) == ("artifact.check", {"devices": 1})


def test_a_check_of_nobody_is_refused() -> None:
    with pytest.raises(Refused, match="No device"):
        request_checks(artifact=new_artifact(), devices=[], actor=operator())


def test_what_fits_is_compatible_and_says_what_would_change(device: Device) -> None:
    check = checked(device, new_artifact(provides={"app": "2"}))

    assert check.verdict == Check.Verdict.COMPATIBLE
    assert refusals(check) == []
    assert check.changes == {"artifact_name": ["old", "new"], "app": [None, "2"]}
    assert check.checked_at is not None


def test_a_check_leaves_no_trace_on_the_device(device: Device) -> None:
    root = Path(device.root)
    before = sorted(root.rglob("*"))

    checked(device, new_artifact())

    assert sorted(root.rglob("*")) == before


def test_what_does_not_fit_is_refused_with_every_reason(device: Device) -> None:
    artifact = new_artifact(
        device_types=["crate"], depends={"app": ["1"]}, payload_type="unheard-of"
    )

    check = checked(device, artifact)

    assert check.verdict == Check.Verdict.REFUSED
    assert refusals(check) == ["device type", "app", "Update Module"]


def test_a_check_that_the_portal_itself_fails_in_is_over_and_says_so(device: Device) -> None:
    artifact = new_artifact()
    [check] = request_checks(artifact=artifact, devices=[device], actor=operator())
    check.artifact.provides = 5  # as if a bug had put it there
    with pytest.raises(TypeError):
        carry_out_check(check)
    check.refresh_from_db()
    assert check.verdict == Check.Verdict.REFUSED
    assert refusals(check) == ["check"]


def test_what_is_there_already_is_unchanged(device: Device) -> None:
    assert checked(device, new_artifact("old")).verdict == Check.Verdict.UNCHANGED


def test_a_newer_check_takes_the_place_of_the_older_one(device: Device) -> None:
    artifact = new_artifact()
    actor = operator()
    request_checks(artifact=artifact, devices=[device], actor=actor)
    request_checks(artifact=artifact, devices=[device], actor=actor)

    assert Check.objects.count() == 1


def test_a_check_is_stale_when_it_is_old_or_the_device_has_something_else(device: Device) -> None:
    check = checked(device, new_artifact())
    assert not is_stale(check)

    check.checked_at = timezone.now() - timedelta(days=2)
    assert is_stale(check)
    check.checked_at = timezone.now()
    device.provides = {"artifact_name": "something else"}
    device.save()
    check = Check.objects.get()
    assert is_stale(check)
