"""A look at an Update Module on a device: nothing is installed, and what is wrong is said."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from pytest_django import DjangoCaptureOnCommitCallbacks

from devices.models import Device
from portal.core.actors import PORTAL
from portal.core.errors import NotPermitted, Refused
from portal.core.models import AuditEvent
from tests.environment.redis import RedisServer
from tests.journal.rows import new_device
from tests.services.people import somebody
from updates import dispatch
from updates.jobs import run_module_check
from updates.models import CarriedModule, ModuleCheck, UpdateModule
from updates.services import module_checks
from updates.services.artifacts import upload_update_module
from updates.services.module_checks import request_module_checks
from updates.services.recover import recover

pytestmark = pytest.mark.database

GOOD = b"""#!/bin/sh
case "$1" in
  SupportsRollback) echo Yes ;;
  NeedsArtifactReboot) echo Automatic ;;
  ArtifactInstall) touch "$FLEETWRIGHT_ROOT/installed" ;;
esac
"""


@pytest.fixture
def box(tmp_path: Path) -> Device:
    return new_device("box", root=str(tmp_path))


def module_of(content: bytes) -> UpdateModule:
    return upload_update_module(name="web-file", file=ContentFile(content), actor=PORTAL)


def looked_at(content: bytes, device: Device) -> ModuleCheck:
    request_module_checks(module=module_of(content), devices=[device], actor=PORTAL)
    check = ModuleCheck.objects.get()
    run_module_check(str(check.pk))
    check.refresh_from_db()
    return check


def wrong(check: ModuleCheck) -> list[str]:
    return [finding["what"] for finding in check.findings if not finding["ok"]]


def files(root: str) -> set[str]:
    return {str(path) for path in Path(root).rglob("*") if path.is_file()}


def test_a_good_module_answers_and_leaves_nothing_behind(box: Device) -> None:
    check = looked_at(GOOD, box)

    assert check.verdict == ModuleCheck.Verdict.COMPATIBLE, check.findings
    said = {finding["what"]: finding["says"] for finding in check.findings}
    assert said["SupportsRollback"] == "SupportsRollback: Yes."
    assert said["NeedsArtifactReboot"] == "NeedsArtifactReboot: Automatic."
    assert said["ProvidePayloadFileSizes"].endswith("which means No.")
    assert files(box.root) == set()


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"#!/no/such/shell\n", ["interpreter"]),
        (b"#!/usr/bin/env no-such-python\n", ["interpreter"]),
        (b"#!/bin/sh\nif then\n", ["syntax", "ProvidePayloadFileSizes"]),
        (b"#!/usr/bin/env python3\ndef (:\n", ["syntax", "ProvidePayloadFileSizes"]),
        (b'#!/bin/sh\n[ "$1" = SupportsRollback ] && echo Maybe; exit 0\n', ["SupportsRollback"]),
        (b'#!/bin/sh\n[ "$1" != NeedsArtifactReboot ]\n', ["NeedsArtifactReboot"]),
        (
            b'#!/bin/sh\ncase "$1" in Provide*|Supports*|Needs*) ;; *) echo "What?" ;; esac\n',
            ["unknown states"],
        ),
    ],
)
def test_what_is_wrong_with_a_module_is_said(box: Device, content: bytes, what: list[str]) -> None:
    check = looked_at(content, box)
    assert check.verdict == ModuleCheck.Verdict.REFUSED
    assert wrong(check)[: len(what)] == what
    assert files(box.root) == set()


def test_which_modules_the_device_has_of_its_own_is_noted(box: Device) -> None:
    own = Path(box.modules_dir)
    own.mkdir(parents=True)
    for name, mode in (
        ("web-file", 0o755),
        ("directory", 0o755),
        ("README", 0o644),
        ("a b", 0o755),
    ):
        (own / name).write_bytes(GOOD)
        (own / name).chmod(mode)
    CarriedModule.objects.create(device=box, name="gone", sha256="0" * 64, seen_at=box.created_at)
    looked_at(GOOD, box)

    rows = CarriedModule.objects.values_list("name", "sha256")
    digest = hashlib.sha256(GOOD).hexdigest()
    assert set(rows) == {("web-file", digest), ("directory", digest)}


def test_a_device_that_is_away_is_no_fault_of_the_module(box: Device) -> None:
    Device.objects.filter(pk=box.pk).update(root="/proc/nowhere")
    check = looked_at(GOOD, Device.objects.get())
    assert check.verdict in {ModuleCheck.Verdict.REFUSED, ModuleCheck.Verdict.UNREACHABLE}
    assert wrong(check) in (["device"], ["connection"])


def test_a_look_is_on_record_and_asks_for_its_permission(box: Device) -> None:
    module = module_of(GOOD)
    with pytest.raises(NotPermitted, match="check_artifact"):
        request_module_checks(module=module, devices=[box], actor=somebody("anna"))
    with pytest.raises(Refused, match="No device"):
        request_module_checks(module=module, devices=[], actor=PORTAL)
    request_module_checks(module=module, devices=[box], actor=somebody("carl", "check_artifact"))
    assert AuditEvent.objects.get(action="update_module.check").data == {"devices": 1}


def test_a_look_at_what_is_gone_by_now_is_over(box: Device) -> None:
    assert run_module_check("12345") == "gone"


def test_what_redis_forgot_is_asked_for_again(
    box: Device,
    redis_server: RedisServer,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    request_module_checks(module=module_of(GOOD), devices=[box], actor=PORTAL)
    check = ModuleCheck.objects.get()
    assert dispatch.queued() == set()
    with django_capture_on_commit_callbacks(execute=True):
        recover()
    assert module_checks.job_id(check) in dispatch.queued()


def test_a_module_whose_file_is_gone_is_no_crash(box: Device) -> None:
    module = module_of(GOOD)
    module.file.storage.delete(str(module.file.name))
    request_module_checks(module=module, devices=[box], actor=PORTAL)
    run_module_check(str(ModuleCheck.objects.get().pk))
    assert wrong(ModuleCheck.objects.get()) == ["device"]
