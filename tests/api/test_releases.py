"""Releases over the API: found, tagged, withdrawn, and ordered by name."""

from __future__ import annotations

import pytest

from portal.core.models import AuditEvent
from tests.api.caller import Caller
from tests.api.conftest import MakeArtifact, MakeDevice, MakeFile
from tests.api.problems import assert_problem
from updates.models import Artifact, Release

pytestmark = pytest.mark.database


@pytest.fixture
def release(make_artifact: MakeArtifact) -> Release:
    """`release-1` for boxes and crates."""
    make_artifact(device_type="crate")
    return make_artifact(device_type="box").release


def test_an_overlapping_upload_is_a_conflict_with_its_rule(
    operator: Caller, mender_file: MakeFile, release: Release, make_artifact: MakeArtifact
) -> None:
    make_artifact("other", device_type="barrel")
    content = mender_file("release-1", device_type="box") + b""
    Artifact.objects.filter(device_types=["box"]).update(sha256="0" * 64)  # not this very file
    answer = operator.upload("artifacts", content)

    assert_problem(answer, status=409, code="UPD-105")
    assert answer.body["rule"] == "release-overlap"


def test_a_release_says_what_is_in_it(operator: Caller, release: Release) -> None:
    answer = operator.get("releases", name="release-1")

    (row,) = answer.body["results"]
    assert row == operator.get(f"releases/{release.pk}").body
    assert sorted(part["device_types"][0] for part in row["artifacts"]) == ["box", "crate"]
    assert (row["tags"], row["withdrawn_at"]) == ([], None)


def test_notes_and_tags_are_changed_one_by_one(operator: Caller, release: Release) -> None:
    operator.patch(f"releases/{release.pk}", tags=["stable"])
    answer = operator.patch(f"releases/{release.pk}", notes="For Friday")

    assert (answer.status, answer.body["notes"], answer.body["tags"]) == (
        200,
        "For Friday",
        ["stable"],
    )
    found = operator.get("releases", tags__word="stable").body["results"]
    assert [row["name"] for row in found] == ["release-1"]


def test_a_deployment_of_a_release_gives_each_device_its_own(
    operator: Caller, release: Release, make_device: MakeDevice
) -> None:
    make_device(device_type="box")
    make_device(device_type="crate")
    make_device(device_type="barrel")
    preview = operator.post("deployments/preview", release="release-1", all=True)
    assert (preview.body["takes"]["count"], preview.body["left_out"]["count"]) == (2, 1)

    answer = operator.post("deployments", release="release-1", all=True, reason="Friday")
    assert answer.status == 201, answer.body
    assert answer.body["release"] == {"id": release.pk, "name": "release-1"}
    assert answer.body["artifact"] is None
    upgrades = operator.get("upgrades", deployment=answer.body["id"]).body["results"]
    assert len({row["artifact"]["id"] for row in upgrades}) == 2


def test_a_withdrawn_release_is_refused_until_it_is_restored(
    operator: Caller, release: Release, make_device: MakeDevice
) -> None:
    device = make_device()
    answer = operator.post(f"releases/{release.pk}/withdraw", reason="It eats the disk")
    assert answer.body["withdrawn_reason"] == "It eats the disk"
    order = {"release": "release-1", "device": device.pk, "reason": "Now"}
    refusal = operator.post("upgrades", **order)
    assert_problem(refusal, status=422, code="FW-100")
    assert "It eats the disk" in refusal.body["detail"]

    operator.post(f"releases/{release.pk}/restore", reason="It was the disk")
    assert operator.post("upgrades", **order).status == 201


def test_a_check_of_a_release_is_ordered_for_everybody(
    operator: Caller, release: Release, make_device: MakeDevice
) -> None:
    make_device(device_type="box")
    make_device(device_type="crate")
    answer = operator.post(f"releases/{release.pk}/check", all=True)
    assert (answer.status, answer.body) == (202, {"requested": 2})


@pytest.mark.parametrize("words", [{}, {"release": "release-1", "artifact": "both"}])
def test_an_order_names_a_release_or_an_artifact(
    operator: Caller, release: Release, words: dict[str, str]
) -> None:
    if words:
        words["artifact"] = str(release.artifacts.values_list("pk", flat=True)[0])
    answer = operator.post("deployments", **words, all=True, reason="Friday")
    assert_problem(answer, status=400, code="API-400")
    assert "release or an artifact" in answer.body["detail"]


def test_deleting_takes_a_reason_and_all_of_it(operator: Caller, release: Release) -> None:
    assert_problem(operator.delete(f"releases/{release.pk}"), status=400, code="API-400")
    assert operator.delete(f"releases/{release.pk}?reason=A+slip").status == 204
    assert not Artifact.objects.exists()
    assert AuditEvent.objects.get(action="release.delete").reason == "A slip"
