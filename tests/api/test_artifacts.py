"""Artifacts and Update Modules over the API."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.files.storage import default_storage
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from portal.core.models import AuditEvent
from tests.api.caller import Caller
from tests.api.conftest import MakeArtifact, MakeDevice, MakeFile
from tests.api.problems import assert_problem
from updates.models import Artifact, UpdateModule

pytestmark = pytest.mark.database

SCRIPT = b"#!/bin/sh\nexit 0\n"


def stored() -> set[Path]:
    """Every file in the storage."""
    root = Path(default_storage.path(""))
    return {path for path in root.rglob("*") if path.is_file()}


def test_an_uploaded_artifact_is_described_at_once(operator: Caller, mender_file: MakeFile) -> None:
    answer = operator.upload("artifacts", mender_file(), notes="For Friday")

    assert answer.status == 201, answer.body
    assert answer.body["name"] == "release-1"
    assert answer.body["device_types"] == ["box"]
    assert answer.body["payload_type"] == "web-file"
    assert [file["name"] for file in answer.body["files"]] == ["index.html"]
    assert (answer.body["notes"], answer.body["uploaded_by"]) == ("For Friday", "alice")
    assert operator.get(answer.headers["Location"]).body == answer.body


def test_a_broken_file_is_refused_with_its_rule_and_leaves_nothing(
    operator: Caller, mender_file: MakeFile
) -> None:
    before = stored()
    good = mender_file()

    answer = operator.upload("artifacts", good[: len(good) // 2])

    assert_problem(answer, status=422, code="UPD-100")
    assert answer.body["rule"]
    assert stored() == before
    assert not Artifact.objects.exists()


def test_an_empty_file_is_refused_by_the_reader_too(operator: Caller) -> None:
    answer = operator.upload("artifacts", b"")

    assert_problem(answer, status=422, code="UPD-100")


def test_the_same_file_twice_is_refused(operator: Caller, mender_file: MakeFile) -> None:
    operator.upload("artifacts", mender_file())
    before = stored()

    answer = operator.upload("artifacts", mender_file())

    assert_problem(answer, status=422, code="UPD-100")
    assert answer.body["rule"] == "uploaded-before"
    assert stored() == before


def test_a_file_over_the_limit_is_refused(
    operator: Caller, mender_file: MakeFile, settings: Settings
) -> None:
    settings.UPLOAD_LIMIT_BYTES = 100

    answer = operator.upload("artifacts", mender_file())

    assert_problem(answer, status=422, code="UPD-100")
    assert answer.body["rule"] == "too-big"


def test_a_request_far_over_the_limit_is_not_even_read(
    operator: Caller, settings: Settings
) -> None:
    settings.UPLOAD_LIMIT_BYTES = 100

    answer = operator.upload("artifacts", bytes(2 * 2**20))

    assert_problem(answer, status=413, code="API-413")


def test_an_upload_without_a_file_names_the_field(operator: Caller) -> None:
    answer = operator.raw("artifacts", b"", media_type="multipart/form-data; boundary=x")

    assert_problem(answer, status=400, code="API-400")
    assert list(answer.body["errors"]) == ["file"]


def test_artifacts_are_found_by_name_and_digest(
    operator: Caller, make_artifact: MakeArtifact
) -> None:
    one, two = make_artifact("release-1"), make_artifact("release-2")

    by_name = operator.get("artifacts", name="release-2").body["results"]
    by_digest = operator.get("artifacts", sha256=one.sha256).body["results"]

    assert [row["id"] for row in by_name] == [str(two.pk)]
    assert [row["id"] for row in by_digest] == [str(one.pk)]


def test_a_deleted_artifact_is_gone_with_its_file(
    operator: Caller,
    make_artifact: MakeArtifact,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    before = stored()
    artifact = make_artifact()

    with django_capture_on_commit_callbacks(execute=True):
        answer = operator.delete(f"artifacts/{artifact.pk}?reason=A+mistake")

    assert (answer.status, answer.body) == (204, None)
    assert not Artifact.objects.exists()
    assert stored() == before
    assert AuditEvent.objects.get(action="artifact.delete").reason == "A mistake"


def test_deleting_asks_for_a_reason(operator: Caller, make_artifact: MakeArtifact) -> None:
    artifact = make_artifact()

    answer = operator.delete(f"artifacts/{artifact.pk}")

    assert_problem(answer, status=400, code="API-400")
    assert list(answer.body["errors"]) == ["reason"]
    assert Artifact.objects.exists()


def test_an_artifact_of_the_history_stays(
    operator: Caller, make_artifact: MakeArtifact, make_device: MakeDevice
) -> None:
    artifact = make_artifact()
    operator.post("upgrades", device=make_device().pk, artifact=str(artifact.pk), reason="Try")

    answer = operator.delete(f"artifacts/{artifact.pk}?reason=Tidy")

    assert_problem(answer, status=422, code="FW-100")
    assert Artifact.objects.exists()


def test_a_new_version_of_an_update_module_is_the_next_number(operator: Caller) -> None:
    first = operator.upload("update-modules", SCRIPT, name="web-file")
    second = operator.upload("update-modules", SCRIPT + b"# 2\n", name="web-file")
    listed = operator.get("update-modules", name="web-file").body["results"]

    assert (first.status, first.body["version"]) == (201, 1)
    assert (second.status, second.body["version"]) == (201, 2)
    assert [row["version"] for row in listed] == [2, 1]
    assert operator.get(second.headers["Location"]).body == second.body


@pytest.mark.parametrize(
    ("name", "content"), [("web-file", b"exit 0"), ("../web-file", SCRIPT), ("web-file", b"")]
)
def test_what_is_no_update_module_is_refused(operator: Caller, name: str, content: bytes) -> None:
    before = stored()

    answer = operator.upload("update-modules", content, name=name)

    assert_problem(answer, status=422, code="FW-100")
    assert stored() == before
    assert not UpdateModule.objects.exists()
