"""Depends, provides, clears: each rule, decided from the plan alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from updates.plan import ArtifactPlan, DevicePlan, Mode
from updates.recipes.artifact_fit import changes, fit, is_installed, provides_after

PROVIDES = {"artifact_name": "old", "artifact_group": "stable", "app.version": "1", "kept": "yes"}
PLAN = ArtifactPlan(
    upgrade="00000000-0000-0000-0000-000000000000",
    device=DevicePlan(
        id=1,
        name="one",
        device_type="box",
        work_root="/w",
        modules_dir="/m",
        root="/",
        provides=PROVIDES,
    ),
    mode=Mode.INSTALL,
    artifact_id="1",
    artifact_name="new",
    artifact_group="",
    payload_type="single-file",
    file="new.mender",
    sha256="0" * 64,
    size=1,
    unpacked_size=1,
    device_types=["box"],
    depends_names=[],
    depends_groups=[],
    depends={},
    provides={"app.version": "2"},
    clears_provides=["app.*"],
    header_info="{}",
    type_info="{}",
    meta_data="",
    scripts=[],
    update_module=None,
    force=False,
)


def refusals(plan: ArtifactPlan) -> list[str]:
    return [finding.says for finding in fit(plan) if not finding.ok]


def provided(plan: ArtifactPlan, provides: dict[str, str]) -> ArtifactPlan:
    return plan.with_provides(provides)


@pytest.mark.parametrize(
    "plan",
    [
        PLAN,
        replace(PLAN, device_types=["crate", "box"]),
        replace(PLAN, depends_names=["older", "old"]),
        replace(PLAN, depends_groups=["beta", "stable"]),
        replace(PLAN, depends={"app.version": ["1"], "kept": ["no", "yes"]}),
        replace(PLAN, depends={"device_type": ["box"]}),
        replace(PLAN, scripts=["ArtifactInstall_Enter_00"]),
    ],
)
def test_any_of_the_accepted_values_will_do(plan: ArtifactPlan) -> None:
    assert refusals(plan) == []


@pytest.mark.parametrize(
    ("plan", "says"),
    [
        (replace(PLAN, device_types=["crate"]), "It needs device type crate; the device has box."),
        (
            replace(PLAN, depends_names=["older", "oldest"]),
            "It needs artifact_name older or oldest; the device has old.",
        ),
        (
            replace(PLAN, depends_groups=["beta"]),
            "It needs artifact_group beta; the device has stable.",
        ),
        (
            provided(replace(PLAN, depends_groups=["stable"]), {"artifact_name": "old"}),
            "It needs artifact_group, which the device does not provide.",
        ),
        (
            provided(replace(PLAN, depends_names=["old"]), {}),
            "It needs artifact_name, which the device does not provide.",
        ),
        (
            replace(PLAN, depends={"app.version": ["2"]}),
            "It needs app.version 2; the device has 1.",
        ),
        (
            replace(PLAN, depends={"kernel": [""]}),
            "It needs kernel, which the device does not provide.",
        ),
        (
            replace(PLAN, depends={"device_type": ["crate"]}),
            "It needs device_type crate; the device has box.",
        ),
    ],
)
def test_what_is_missing_or_other_is_named(plan: ArtifactPlan, says: str) -> None:
    assert refusals(plan) == [says]


def test_every_rule_that_is_broken_is_named() -> None:
    plan = replace(PLAN, device_types=["crate"], depends_names=["x"], depends={"kernel": ["5"]})

    assert len(refusals(plan)) == 3


@pytest.mark.parametrize(
    ("clears", "left"),
    [
        (["app.*"], {"artifact_group": "stable", "kept": "yes"}),
        ([], {"artifact_group": "stable", "kept": "yes"}),
        (["artifact_group"], {"kept": "yes"}),
        (["*"], {}),
        (["k?pt", "[k]ept", "artifact_grou"], {"artifact_group": "stable", "kept": "yes"}),
        (["*ept"], {"artifact_group": "stable"}),
        (None, {}),
    ],
)
def test_a_commit_drops_what_the_artifact_clears_and_keeps_the_rest(
    clears: list[str] | None, left: dict[str, str]
) -> None:
    plan = replace(PLAN, clears_provides=clears)

    assert provides_after(plan) == {**left, "artifact_name": "new", "app.version": "2"}


def test_what_is_provided_before_and_not_cleared_stays() -> None:
    plan = replace(PLAN, provides={"data.version": "7"}, clears_provides=["data.*"])

    assert provides_after(plan)["app.version"] == "1"


def test_a_group_is_replaced_by_one_that_is_brought() -> None:
    assert provides_after(replace(PLAN, artifact_group="beta"))["artifact_group"] == "beta"


def test_changes_name_what_comes_what_goes_and_what_is_replaced() -> None:
    plan = replace(PLAN, clears_provides=["kept"], provides={"new.key": "x"})

    assert changes(plan) == {
        "artifact_name": ["old", "new"],
        "kept": ["yes", None],
        "new.key": [None, "x"],
    }


@pytest.mark.parametrize(
    ("provides", "is_there"),
    [
        ({"artifact_name": "new", "app.version": "2", "more": "z"}, True),
        ({"artifact_name": "new", "app.version": "1"}, False),
        ({"artifact_name": "new"}, False),
        ({"artifact_name": "new_INCONSISTENT", "app.version": "2"}, False),
        ({"app.version": "2"}, False),
    ],
)
def test_only_what_is_there_to_the_letter_is_installed_already(
    provides: dict[str, str], is_there: bool
) -> None:
    assert is_installed(provided(PLAN, provides)) == is_there
