"""Who may do what: a permission for each effect, one for each look, a token for everything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from django.apps import apps

from devices.models import Device, DeviceGroup
from tests.api.caller import Answer, Caller
from tests.api.conftest import MakeArtifact, MakeDevice, MakeFile
from tests.api.problems import assert_problem

pytestmark = pytest.mark.database

KEPT = ("core.ApiToken", "auth.User")
"""What a caller's own login may touch."""


@dataclass(frozen=True)
class World:
    """What the orders below are about."""

    device: int
    group: int
    credential: int
    artifact: str
    deployment: str
    upgrade: str
    file: bytes


@pytest.fixture
def world(
    operator: Caller,
    make_device: MakeDevice,
    make_artifact: MakeArtifact,
    mender_file: MakeFile,
) -> World:
    device, artifact = make_device(), make_artifact()
    Device.objects.update(offered_host_key="ssh-ed25519 AAAA")
    deployment = operator.post("deployments", artifact=str(artifact.pk), all=True, reason="Fix")
    credential = operator.post(
        "credentials", name="root", kind="password", username="root", secret="open"
    )
    return World(
        device=device.pk,
        group=DeviceGroup.objects.create(name="Some").pk,
        credential=credential.body["id"],
        artifact=str(artifact.pk),
        deployment=deployment.body["id"],
        upgrade=operator.get("upgrades").body["results"][0]["id"],
        file=mender_file("release-2"),
    )


READS = [
    "artifacts",
    "artifacts/{artifact}",
    "artifacts/{artifact}/checks",
    "update-modules",
    "devices",
    "devices/{device}",
    "devices/export",
    "device-groups",
    "device-groups/{group}",
    "device-groups/{group}/members",
    "credentials",
    "credentials/{credential}",
    "deployments",
    "deployments/{deployment}",
    "upgrades",
    "upgrades/export",
    "upgrades/{upgrade}",
    "upgrades/{upgrade}/events",
    "stuck-upgrades",
    "audit-events",
]

Order = Callable[[Caller, World], Answer]
EFFECTS: dict[str, Order] = {
    "upload artifact": lambda c, w: c.upload("artifacts", w.file),
    "delete artifact": lambda c, w: c.delete(f"artifacts/{w.artifact}?reason=Tidy"),
    "check": lambda c, w: c.post(f"artifacts/{w.artifact}/checks", all=True),
    "upload module": lambda c, _: c.upload("update-modules", b"#!/bin/sh\n", name="web-file"),
    "add device": lambda c, _: c.post("devices", name="new", device_type="box", driver="local"),
    "change device": lambda c, w: c.patch(f"devices/{w.device}", device_type="crate"),
    "import devices": lambda c, _: c.upload(
        "devices/import", b"name,device_type,driver\nnew,box,local\n", reason="More"
    ),
    "preview import": lambda c, _: c.upload("devices/import/preview", b"name\nnew\n"),
    "delete device": lambda c, w: c.delete(f"devices/{w.device}?reason=Sold"),
    "refresh device": lambda c, w: c.post(f"devices/{w.device}/refresh"),
    "confirm key": lambda c, w: c.post(
        f"devices/{w.device}/confirm-host-key", key="ssh-ed25519 AAAA"
    ),
    "add group": lambda c, _: c.post("device-groups", name="New"),
    "change group": lambda c, w: c.patch(f"device-groups/{w.group}", name="Renamed"),
    "change members": lambda c, w: c.post(
        f"device-groups/{w.group}/change-members", add=[w.device]
    ),
    "delete group": lambda c, w: c.delete(f"device-groups/{w.group}"),
    "add credential": lambda c, _: c.post(
        "credentials", name="new", kind="password", username="root", secret="open"
    ),
    "replace credential": lambda c, w: c.patch(f"credentials/{w.credential}", secret="shut"),
    "deploy": lambda c, w: c.post("deployments", artifact=w.artifact, all=True, reason="Fix"),
    "preview": lambda c, w: c.post("deployments/preview", artifact=w.artifact, all=True),
    "cancel deployment": lambda c, w: c.post(f"deployments/{w.deployment}/cancel", reason="No"),
    "apply": lambda c, w: c.post("upgrades", device=w.device, artifact=w.artifact, reason="Fix"),
    "cancel": lambda c, w: c.post(f"upgrades/{w.upgrade}/cancel", reason="No"),
    "force-cancel": lambda c, w: c.post(f"upgrades/{w.upgrade}/force-cancel", reason="It hangs"),
    "recover": lambda c, w: c.post(f"upgrades/{w.upgrade}/recover"),
    "retry": lambda c, w: c.post(f"upgrades/{w.upgrade}/retry", reason="Again"),
    "roll back": lambda c, w: c.post(f"upgrades/{w.upgrade}/roll-back", reason="Worse"),
}


def rows() -> dict[str, list[object]]:
    """Every row of ours, to tell whether anything changed."""
    return {
        model._meta.label: list(model._default_manager.order_by("pk").values())
        for label in ("core", "devices", "updates")
        for model in apps.get_app_config(label).get_models()
        if model._meta.label not in KEPT
    }


def test_a_viewer_sees_everything(viewer: Caller, world: World, subtests: pytest.Subtests) -> None:
    for path in READS:
        with subtests.test(path):
            assert viewer.get(path.format(**vars_of(world))).status == 200


def test_a_stranger_sees_nothing(stranger: Caller, world: World, subtests: pytest.Subtests) -> None:
    for path in READS:
        with subtests.test(path):
            answer = stranger.get(path.format(**vars_of(world)))
            assert_problem(answer, status=403, code="FW-102")


def test_without_a_token_there_is_nothing(
    anonymous: Caller, world: World, subtests: pytest.Subtests
) -> None:
    for path in READS:
        with subtests.test(path):
            answer = anonymous.get(path.format(**vars_of(world)))
            assert_problem(answer, status=401, code="API-401")
            assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_a_viewer_changes_nothing(viewer: Caller, world: World, subtests: pytest.Subtests) -> None:
    for effect, order in EFFECTS.items():
        with subtests.test(effect):
            before = rows()
            assert_problem(order(viewer, world), status=403, code="FW-102")
            assert rows() == before


def test_without_a_token_nothing_changes(
    anonymous: Caller, world: World, subtests: pytest.Subtests
) -> None:
    for effect, order in EFFECTS.items():
        with subtests.test(effect):
            before = rows()
            assert_problem(order(anonymous, world), status=401, code="API-401")
            assert rows() == before


@pytest.mark.parametrize("effect", EFFECTS)
def test_an_operator_is_not_stopped_for_lack_of_a_permission(
    operator: Caller, world: World, effect: str
) -> None:
    """The same orders: refused above for who asked, not because they were wrong."""
    assert EFFECTS[effect](operator, world).status in {200, 201, 202, 204, 409, 422}


def test_a_token_that_is_none_is_told_apart_from_no_token(anonymous: Caller) -> None:
    anonymous.client.credentials(HTTP_AUTHORIZATION="Bearer fwt_guessed")

    answer = anonymous.get("artifacts")

    assert_problem(answer, status=401, code="API-401")
    assert "unknown" in answer.body["detail"]


def vars_of(world: World) -> dict[str, object]:
    return {name: getattr(world, name) for name in World.__dataclass_fields__}
