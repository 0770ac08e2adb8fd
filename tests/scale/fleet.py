"""A little of everything that pages show, and then more of it."""

from __future__ import annotations

from itertools import count

from axes.models import AccessAttempt
from django.contrib.auth.models import User

from bench.modules_data import add_repository
from devices.models import (
    AuthSet,
    Credential,
    Device,
    DeviceGroup,
    EngineAccess,
    EngineLook,
    RegistryLogin,
)
from devices.services.enrolment import accept
from patches.models import Patch, PatchCheck
from portal.core import audit, clock
from portal.core.actors import PORTAL
from portal.core.tokens import create_token
from portal.second_factor.services import begin
from tests.journal.rows import brought_to, finished, held, new_artifact, new_device, new_upgrade
from tests.modules.rows import image_checked
from tests.modules.rows import new_instance as new_installed
from tests.modules.rows import order as order_module
from tests.patches.rows import applied, checked, new_instance, new_node, new_patch
from tests.pulled.rows import asking_device
from tests.watching.rows import backed_up, watched
from updates.machine import State
from updates.models import CarriedModule, Check, ModuleCheck, TrustedKey, UpdateModule
from updates.services.deployments import deploy_artifact
from updates.services.keys import Generated, generate_signing_key
from updates.services.local_images import request_removal

WIKI = "ghcr.io/nethserver/wiki"
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
    new = [new_installed(f"wiki{next(_numbers)}", source=WIKI) for _ in range(rows)]
    order_module(*new, actor=PORTAL, image=f"{WIKI}:1.1.0", canary=True)


def _one_more(number: int) -> None:
    device = new_device(f"device-{number:03}", provides={"artifact_name": f"release-{number}"})
    static = DeviceGroup.objects.create(name=f"list-{number:03}")
    static.members.set(Device.objects.all())
    DeviceGroup.objects.create(
        name=f"filter-{number:03}", kind=DeviceGroup.Kind.DYNAMIC, filter={"q": f"{number:03}"}
    )
    person = User.objects.create(username=f"person{number}")
    key = generate_signing_key(name=f"house-{number}", kind=Generated.ECDSA, actor=PORTAL)
    signer = TrustedKey.objects.get(fingerprint=key.fingerprint)
    artifact = new_artifact(
        f"release-{number}", is_signed=True, signed_by=signer, uploaded_by=person
    )
    upgrade = new_upgrade(device, artifact)
    if number % 3 == 0:
        finished(upgrade)
    elif number % 3 == 1:
        journal = brought_to(State.INSTALLING, held(upgrade))
        journal.output("0006-ArtifactInstall", b"unpacking\n")
        journal.note("half way")
    audit.record(actor=PORTAL, action=f"test.{number % 5}", subject=device, reason="a test")
    create_token(user=person, name="tests", actor=PORTAL)
    Credential.objects.create(name=f"key-{number}", kind=Credential.Kind.PASSWORD, secret="x")
    RegistryLogin.objects.create(registry=f"r{number}.example", username="us", secret="x")
    EngineAccess.objects.create(device=device, way=EngineAccess.Way.UNIX)
    images = [
        {"id": f"sha256:{n:064}", "tags": [f"redis:{n}"], "digests": [], "size": 1, "created": ""}
        for n in range(8 + number)
    ]
    EngineLook.objects.create(
        device=device, asked_at=clock.now(), answered_at=clock.now(), images=images
    )
    request_removal(
        references=["redis:7"], devices=Device.objects.all(), actor=PORTAL, reason="a test"
    )
    books = watched(f"books-{number}")
    for one in range(number):
        backed_up(books, one)
    module = UpdateModule.objects.create(
        name=f"module-{number}",
        version=1,
        sha256="0" * 64,
        size=1,
        file="update-modules/none",
        uploaded_by=person,
    )
    looked_at(module)
    patched(number)
    installed = new_installed(f"mymodule{number}")
    image_checked(installed)
    order_module(installed, actor=PORTAL)
    add_repository(f"shelf-{number}", packages=1)
    watched(f"shop-{number}", newest="1.1.0", newest_digest=f"sha256:{'b' * 64}")
    for status in AuthSet.Status:
        asking_device(f"{number}-{status}", status=status)
    accept(auth_set=asking_device(f"{number}-pulls"), actor=PORTAL)
    begin(user=person)
    AccessAttempt.objects.create(
        username=f"person{number}", ip_address="192.0.2.1", failures_since_start=1, path_info="/"
    )


def patched(number: int) -> None:
    """An instance with some nodes more; a patch is in force there, and others are checked."""
    instance = new_instance()
    nodes = [
        new_node(instance, drift=[{"path": "x", "recorded": "1", "loaded": "2"}]) for _ in range(3)
    ]
    first, fix = Patch.objects.first() or new_patch("first"), new_patch(f"fix-{number}")
    applied(fix, instance)
    for patch in (first, new_patch(f"next-{number}")):
        if not PatchCheck.objects.filter(patch=patch, instance=instance).exists():
            checked(patch, instance)
    for node in nodes:
        node.restart_needed = "a module could not be loaded"
        node.save()


def looked_at(module: UpdateModule) -> None:
    """Every device was looked at, and has a module of that name of its own."""
    now = clock.now()
    devices = Device.objects.all()
    ModuleCheck.objects.bulk_create(
        ModuleCheck(module=module, device=device, requested_at=now) for device in devices
    )
    CarriedModule.objects.bulk_create(
        CarriedModule(device=device, name=module.name, sha256="1" * 64, seen_at=now)
        for device in devices
    )
