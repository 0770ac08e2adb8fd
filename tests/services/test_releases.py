"""Releases: one name, several artifacts, and each device gets the one that is for it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.core.files.storage import default_storage
from pytest_django import DjangoCaptureOnCommitCallbacks

from devices.models import Device
from portal.core.actors import PORTAL
from portal.core.errors import NotPermitted, Refused
from portal.core.models import AuditEvent
from tests.journal.rows import finished, new_artifact, new_device
from tests.services.people import operator, somebody
from tests.services.uploads import uploaded
from updates.errors import NotCompatible, ReleaseOverlap
from updates.models import Artifact, Check, Release, ReleaseTag, Upgrade
from updates.queries import installed_on
from updates.services.artifacts import delete_artifact
from updates.services.checks import request_release_checks
from updates.services.choosing import artifacts_of, choose
from updates.services.deployments import deploy_artifact, deploy_release, preview_release
from updates.services.releases import (
    delete_release,
    edit_release,
    restore_release,
    tags_of,
    withdraw_release,
)
from updates.services.upgrades import apply_artifact, apply_release, retry_upgrade

pytestmark = pytest.mark.database


def both() -> tuple[Release, Artifact, Artifact]:
    """A release for boxes and crates."""
    for_boxes = uploaded(device_types=["box"])
    for_crates = uploaded(device_types=["crate"])
    return for_boxes.release, for_boxes, for_crates


def test_artifacts_of_one_name_are_one_release() -> None:
    release, for_boxes, for_crates = both()

    assert release.name == "new"
    assert for_crates.release == release
    assert set(artifacts_of(release)) == {for_boxes, for_crates}
    assert uploaded("other").release != release


@pytest.mark.parametrize(
    ("types", "groups", "overlaps"),
    [
        (["box"], [], True),
        (["crate", "box"], [], True),
        (["crate"], [], False),
        (["box"], ["beta"], True),
    ],
)
def test_a_second_artifact_for_the_same_device_is_refused(
    types: list[str], groups: list[str], overlaps: bool
) -> None:
    uploaded(device_types=["box", "barrel"])
    if not overlaps:
        assert uploaded(device_types=types, groups=groups).release.artifacts.count() == 2
        return
    files = set(default_storage.listdir("artifacts")[1])
    with pytest.raises(ReleaseOverlap, match="already has an artifact for box") as refusal:
        uploaded(device_types=types, groups=groups)
    assert (refusal.value.rule, refusal.value.code) == ("release-overlap", "UPD-105")
    assert Artifact.objects.count() == 1
    assert set(default_storage.listdir("artifacts")[1]) == files


def test_artifacts_for_different_groups_of_one_device_type_do_not_overlap() -> None:
    stable = uploaded(device_types=["box"], groups=["stable"])
    beta = uploaded(device_types=["box"], groups=["beta", "alpha"])
    with pytest.raises(ReleaseOverlap):
        uploaded(device_types=["box"], groups=["alpha"])

    device = new_device(provides={"artifact_name": "old", "artifact_group": "beta"})
    assert choose(artifacts_of(stable.release), device).artifact == beta


def test_each_device_gets_the_artifact_that_is_for_it() -> None:
    release, for_boxes, for_crates = both()
    box, crate = new_device("a-box"), new_device("b-crate", device_type="crate")
    barrel = new_device("c-barrel", device_type="barrel")

    preview = preview_release(release=release, devices=Device.objects.order_by("name"))
    assert preview.artifacts == {box.pk: for_boxes, crate.pk: for_crates}
    assert preview.left_out == [(barrel, "It is for box or crate; the device has barrel.")]
    assert not Upgrade.objects.exists()

    deployment = deploy_release(
        release=release, devices=Device.objects.all(), actor=operator(), reason="everybody"
    )
    assert (deployment.name, deployment.release, deployment.artifact) == ("new", release, None)
    ordered = {row.device: row for row in deployment.upgrades.all()}
    assert {device: row.artifact for device, row in ordered.items()} == {
        box: for_boxes,
        crate: for_crates,
    }
    assert ordered[crate].plan["artifact_id"] == str(for_crates.pk)


def test_applying_a_release_picks_by_the_device() -> None:
    release, _, for_crates = both()
    crate = new_device(device_type="crate")

    upgrade = apply_release(device=crate, release=release, actor=operator(), reason="try it")
    assert upgrade.artifact == for_crates
    with pytest.raises(NotCompatible, match="It is for box or crate; the device has barrel"):
        apply_release(
            device=new_device(device_type="barrel"), release=release, actor=PORTAL, reason="try"
        )


def test_of_two_that_fit_a_device_the_newer_is_taken() -> None:
    new_artifact("twice")
    newer = new_artifact("twice")

    assert choose(artifacts_of(newer.release), new_device()).artifact == newer


def test_a_check_of_a_release_looks_at_each_device_with_what_is_for_it() -> None:
    release, for_boxes, for_crates = both()
    devices = [new_device("a-box"), new_device("b-crate", device_type="crate")]
    devices.append(new_device("c-barrel", device_type="barrel"))

    request_release_checks(release=release, devices=devices, actor=operator())
    asked = {check.device.name: check.artifact for check in Check.objects.all()}
    assert (asked["a-box"], asked["b-crate"]) == (for_boxes, for_crates)
    assert asked["c-barrel"] in {for_boxes, for_crates}, "so that it can say why not"


def test_a_withdrawn_release_takes_no_new_order_and_says_why() -> None:
    release, for_boxes, _ = both()
    failed = apply_artifact(device=new_device(), artifact=for_boxes, actor=PORTAL, reason="try")
    Upgrade.objects.filter(pk=failed.pk).update(
        state="finished", outcome="failed", finished_at=failed.created_at
    )
    failed.refresh_from_db()
    wanda = somebody("wanda", "withdraw_release")
    withdraw_release(release=release, actor=wanda, reason="It eats the disk")
    for_boxes.refresh_from_db()
    release.refresh_from_db()
    box, why = new_device(), "withdrawn by wanda: It eats the disk"

    with pytest.raises(Refused, match=why):
        apply_artifact(device=box, artifact=for_boxes, actor=PORTAL, reason="now")
    with pytest.raises(Refused, match=why):
        apply_release(device=box, release=release, actor=PORTAL, reason="now")
    with pytest.raises(Refused, match=why):
        deploy_release(
            release=release, devices=Device.objects.all(), actor=PORTAL, reason="everybody"
        )
    with pytest.raises(Refused, match=why):
        deploy_artifact(
            artifact=for_boxes, devices=Device.objects.all(), actor=PORTAL, reason="everybody"
        )
    with pytest.raises(Refused, match=why):
        retry_upgrade(upgrade=failed, actor=PORTAL, reason="again")
    entry = AuditEvent.objects.get(action="release.withdraw")
    assert (entry.actor, entry.reason) == ("wanda", "It eats the disk")


def test_a_withdrawal_can_be_taken_back() -> None:
    release, for_boxes, _ = both()
    withdraw_release(release=release, actor=PORTAL, reason="It eats the disk")
    with pytest.raises(Refused, match="withdrawn already"):
        withdraw_release(release=release, actor=PORTAL, reason="Again")
    restore_release(release=release, actor=PORTAL, reason="It was the disk")
    with pytest.raises(Refused, match="is not withdrawn"):
        restore_release(release=release, actor=PORTAL, reason="Again")

    for_boxes.refresh_from_db()
    assert apply_artifact(device=new_device(), artifact=for_boxes, actor=PORTAL, reason="now")
    assert AuditEvent.objects.filter(action="release.restore", reason="It was the disk").exists()


@pytest.mark.parametrize("reason", ["", "  "])
def test_withdrawing_without_a_reason_is_refused(reason: str) -> None:
    release, _, _ = both()
    with pytest.raises(Refused, match="Say why"):
        withdraw_release(release=release, actor=PORTAL, reason=reason)
    release.refresh_from_db()
    assert release.withdrawn_at is None


def test_notes_and_tags_are_edited_and_the_edit_is_on_record() -> None:
    release, _, _ = both()
    edit_release(release=release, notes="", tags=["Stable", "kiosk"], actor=PORTAL)
    edit_release(release=release, notes=" For Friday ", tags=["stable", ""], actor=PORTAL)

    release.refresh_from_db()
    assert (release.notes, tags_of(release)) == ("For Friday", ["stable"])
    assert AuditEvent.objects.filter(action="release.change").order_by("-at")[0].data == {
        "changes": {"notes": ["", "For Friday"], "tags": ["kiosk, stable", "stable"]}
    }
    assert [tag.word for tag in ReleaseTag.objects.all()] == ["stable"], "nobody has kiosk any more"


@pytest.mark.parametrize("tags", [["two words"], ["-x"], ["x" * 41], [f"t{n}" for n in range(21)]])
def test_tags_that_are_none_are_refused(tags: list[str]) -> None:
    release, _, _ = both()
    with pytest.raises(Refused, match="tag"):
        edit_release(release=release, notes="", tags=tags, actor=PORTAL)
    assert not ReleaseTag.objects.exists()


def test_a_release_is_deleted_with_its_files_while_nobody_got_it(
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    release, for_boxes, for_crates = both()
    with django_capture_on_commit_callbacks(execute=True):
        delete_release(release=release, actor=PORTAL, reason="A slip")

    assert not Artifact.objects.exists()
    assert not Release.objects.exists()
    assert not default_storage.exists(str(for_boxes.file))
    assert not default_storage.exists(str(for_crates.file))
    assert AuditEvent.objects.get(action="release.delete").subject == "new"


def test_a_release_of_the_history_stays() -> None:
    release, for_boxes, for_crates = both()
    box = new_device()
    finished(apply_artifact(device=box, artifact=for_boxes, actor=PORTAL, reason="try it"))

    with pytest.raises(Refused, match="part of the history"):
        delete_release(release=release, actor=PORTAL, reason="A slip")
    delete_artifact(artifact=for_crates, actor=PORTAL, reason="Nobody has crates")
    assert artifacts_of(release) == [for_boxes]


def test_the_last_artifact_takes_its_release_along() -> None:
    artifact = uploaded()
    delete_artifact(artifact=artifact, actor=PORTAL, reason="A slip")
    assert not Release.objects.exists()


def test_where_it_is_installed_is_counted_by_name() -> None:
    for name in ("a", "a", "b"):
        new_device(provides={"artifact_name": name})
    new_device(provides={})

    assert installed_on(["a", "c"]) == {"a": 2}
    assert installed_on([]) == {}


@pytest.mark.parametrize("permission", ["change_release", "withdraw_release", "delete_artifact"])
def test_each_verb_asks_for_its_permission(permission: str) -> None:
    release, _, _ = both()
    anna = somebody(
        "anna", *({"change_release", "withdraw_release", "delete_artifact"} - {permission})
    )
    verbs: dict[str, Callable[[], object]] = {
        "change_release": lambda: edit_release(release=release, notes="", tags=[], actor=anna),
        "withdraw_release": lambda: withdraw_release(release=release, actor=anna, reason="so"),
        "delete_artifact": lambda: delete_release(release=release, actor=anna, reason="so"),
    }
    with pytest.raises(NotPermitted, match=permission):
        verbs[permission]()
