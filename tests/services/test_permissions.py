"""Every verb asks for its own permission, before it does anything."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.core.files.base import ContentFile
from django.db.models import Model

from devices.models import Device
from portal.core.actors import Actor
from portal.core.errors import NotPermitted
from portal.core.models import AuditEvent
from tests.journal.rows import finished, new_artifact, new_device, new_upgrade
from tests.services.people import PERMISSIONS, somebody
from updates.models import Artifact, Check, Deployment, UpdateModule, Upgrade, UpgradeEvent
from updates.services import artifacts, checks, deployments, upgrades

pytestmark = pytest.mark.database

TABLES: tuple[type[Model], ...] = (
    Artifact, AuditEvent, Check, Deployment, UpdateModule, Upgrade, UpgradeEvent,
)  # fmt: skip


def apply(actor: Actor) -> object:
    return upgrades.apply_artifact(
        device=new_device(), artifact=new_artifact(), actor=actor, reason="why not"
    )


def cancel(actor: Actor) -> object:
    return upgrades.cancel_upgrade(upgrade=new_upgrade(), actor=actor)


def retry(actor: Actor) -> object:
    return upgrades.retry_upgrade(upgrade=new_upgrade(), actor=actor, reason="why not")


def roll_back(actor: Actor) -> object:
    return upgrades.roll_back_upgrade(upgrade=finished(new_upgrade()), actor=actor, reason="oops")


def deploy(actor: Actor) -> object:
    new_device()
    return deployments.deploy_artifact(
        artifact=new_artifact(), devices=Device.objects.all(), actor=actor, reason="all of them"
    )


def check(actor: Actor) -> object:
    return checks.request_checks(artifact=new_artifact(), devices=[new_device()], actor=actor)


def delete(actor: Actor) -> None:
    artifacts.delete_artifact(artifact=new_artifact(), actor=actor, reason="old")


def upload(actor: Actor) -> object:
    return artifacts.upload_artifact(file=ContentFile(b"no artifact", "x"), actor=actor)


def upload_module(actor: Actor) -> object:
    return artifacts.upload_update_module(
        name="recorder", file=ContentFile(b"#!/bin/sh\n", "x"), actor=actor
    )


VERBS: dict[str, Callable[[Actor], object]] = {
    "apply_artifact": apply,
    "cancel_upgrade": cancel,
    "check_artifact": check,
    "delete_artifact": delete,
    "deploy_artifact": deploy,
    "retry_upgrade": retry,
    "roll_back_upgrade": roll_back,
    "upload_artifact": upload,
    "upload_updatemodule": upload_module,
}


def test_every_permission_has_its_verb_here() -> None:
    assert set(VERBS) == set(PERMISSIONS)


@pytest.mark.parametrize("permission", sorted(VERBS))
def test_somebody_with_all_other_permissions_is_refused_and_nothing_changes(
    permission: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = [word for word in PERMISSIONS if word != permission]
    actor = somebody("otto", *others)
    before: list[int] = []
    require = Actor.require

    def count_first(self: Actor, wanted: str) -> None:
        before[:] = [table._default_manager.count() for table in TABLES]
        require(self, wanted)

    monkeypatch.setattr(Actor, "require", count_first)

    with pytest.raises(NotPermitted, match=permission):
        VERBS[permission](actor)
    assert [table._default_manager.count() for table in TABLES] == before


@pytest.mark.parametrize("permission", ["apply_artifact", "cancel_upgrade", "deploy_artifact"])
def test_somebody_with_the_permission_alone_may(permission: str) -> None:
    actor = somebody("anna", permission)

    VERBS[permission](actor)

    assert AuditEvent.objects.get().actor == "anna"
