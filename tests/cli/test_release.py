"""`manage.py release`, and orders by a release's name."""

from __future__ import annotations

import pytest

from tests.cli.conftest import new_box, run
from tests.journal.rows import new_artifact, new_device
from updates.models import Artifact, Deployment, Release, Upgrade

pytestmark = pytest.mark.database


@pytest.fixture
def crates(artifact: Artifact) -> Artifact:
    """The other artifact of the release `app-2`."""
    return new_artifact("app-2", device_types=["crate"])


def test_a_release_is_listed_with_its_device_types(crates: Artifact) -> None:
    new_box("box-1")
    new_device(provides={"artifact_name": "app-2"})
    said = run("release", "list")
    assert said.lines[1].split()[:4] == ["app-2", "box,", "crate", "1"]


def test_a_release_is_tagged_found_withdrawn_and_restored(crates: Artifact) -> None:
    assert run("release", "edit", "app-2", "--tag", "stable", "--notes", "For Friday").status == 0
    assert [row["name"] for row in run("release", "list", "--tag", "stable", "--json").json] == [
        "app-2"
    ]
    assert run("release", "list", "--tag", "other", "--json").json == []
    said = run("release", "withdraw", "app-2", "--reason", "It eats the disk")
    assert said.facts["withdrawn"].endswith("It eats the disk")
    said = run("deploy", "app-2", "--all", "--reason", "Friday")
    assert (said.status, said.error) == (
        1,
        f"app-2 was withdrawn by {Release.objects.get().withdrawn_by}: It eats the disk [FW-100]",
    )
    assert "withdrawn" not in run("release", "restore", "app-2", "--reason", "So").facts


def test_deploying_by_name_gives_each_device_its_own(crates: Artifact, artifact: Artifact) -> None:
    new_box("box-1")
    new_device("crate-1", device_type="crate")
    said = run("deploy", "app-2", "--all", "--preview")
    assert said.lines[1].split()[0] == "2"
    assert run("deploy", "app-2", "--all", "--reason", "Friday").status == 0
    ordered = Deployment.objects.get().upgrades.order_by("device__name")
    assert [row.artifact for row in ordered] == [artifact, crates]


def test_an_artifact_by_its_id_is_ordered_alone(crates: Artifact) -> None:
    new_box("box-1")
    new_device("crate-1", device_type="crate")
    assert run("deploy", crates.pk.hex[:12], "--all", "--reason", "Friday").status == 0
    deployment = Deployment.objects.get()
    assert (deployment.artifact, deployment.upgrades.count()) == (crates, 1)


def test_applying_by_name_picks_by_the_device(crates: Artifact) -> None:
    new_device("crate-1", device_type="crate")
    assert run("apply", "app-2", "crate-1", "--reason", "Try it").status == 0
    assert Upgrade.objects.get().artifact == crates


def test_a_release_that_nobody_got_is_deleted(crates: Artifact) -> None:
    assert run("release", "delete", "app-2", "--reason", "A slip").out.strip() == "app-2 is gone."
    assert not Artifact.objects.exists()
    assert run("release", "show", "app-2").error == "There is no release 'app-2'."
