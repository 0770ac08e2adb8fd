"""A little of everything that pages show, and then more of it."""

from __future__ import annotations

from itertools import count

from django.contrib.auth.models import User

from devices.models import Credential, Device, DeviceGroup
from portal.core import audit, clock
from portal.core.actors import PORTAL
from portal.core.tokens import create_token
from tests.journal.rows import brought_to, finished, held, new_artifact, new_device, new_upgrade
from updates.machine import State
from updates.models import Check, UpdateModule
from updates.services.deployments import deploy_artifact

_numbers = count(1)


def grow(rows: int) -> None:
    """There are `rows` more of everything: upgrades that wait, run, and are over among them."""
    for _ in range(rows):
        _one_more(next(_numbers))
    artifact = new_artifact(f"for-all-{next(_numbers)}")
    Check.objects.bulk_create(
        Check(artifact=artifact, device=device, requested_at=clock.now())
        for device in Device.objects.all()
    )
    deploy_artifact(artifact=artifact, devices=Device.objects.all(), actor=PORTAL, reason="all")


def _one_more(number: int) -> None:
    device = new_device(f"device-{number:03}", provides={"artifact_name": f"release-{number}"})
    static = DeviceGroup.objects.create(name=f"list-{number:03}")
    static.members.set(Device.objects.all())
    DeviceGroup.objects.create(
        name=f"filter-{number:03}", kind=DeviceGroup.Kind.DYNAMIC, filter={"q": f"{number:03}"}
    )
    upgrade = new_upgrade(device, new_artifact(f"release-{number}"))
    if number % 3 == 0:
        finished(upgrade)
    elif number % 3 == 1:
        journal = brought_to(State.INSTALLING, held(upgrade))
        journal.output("0006-ArtifactInstall", b"unpacking\n")
        journal.note("half way")
    audit.record(actor=PORTAL, action=f"test.{number % 5}", subject=device, reason="a test")
    person = User.objects.create(username=f"person{number}")
    create_token(user=person, name="tests", actor=PORTAL)
    Credential.objects.create(name=f"key-{number}", kind=Credential.Kind.PASSWORD, secret="x")
    UpdateModule.objects.create(
        name=f"module-{number}", version=1, sha256="0" * 64, size=1, file="update-modules/none"
    )
