"""People before the admin's pages, a small fleet on this machine, and artifacts that the real tool wrote."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from django.contrib.auth.models import Permission, User
from django.core.cache import cache
from django.core.files.base import ContentFile
from django.test import Client

from devices.models import Device
from portal.core.actors import Actor, actor_of
from tests.environment.programs import program
from updates.jobs import run_artifact
from updates.models import Artifact, UpdateModule, Upgrade
from updates.services.artifacts import upload_artifact, upload_update_module
from updates.services.upgrades import apply_artifact

MakeFile = Callable[..., bytes]
MakeDevice = Callable[..., Device]

WEB_FILE = b"""#!/bin/sh
set -e
case "$1" in
  SupportsRollback) echo Yes ;;
  ArtifactInstall) echo "installing <page>"; grep -q broken "$2"/files/* && exit 3 || true ;;
esac
"""


@pytest.fixture(scope="session")
def mender_file(tmp_path_factory: pytest.TempPathFactory) -> MakeFile:
    """The bytes of an artifact: `mender_file("release-1", text="<h1>Hello</h1>")`."""
    tool = program("mender-artifact", package="mender-artifact")
    folder = tmp_path_factory.mktemp("artifacts")

    def write(name: str = "release-1", *, text: str = "<h1>Hello</h1>") -> bytes:
        payload, file = folder / "index.html", folder / f"{name}.mender"
        payload.write_text(text)
        words = ["write", "module-image", "-T", "web-file", "-n", name, "-t", "box"]
        words += ["-f", str(payload), "-o", str(file)]
        subprocess.run([tool, *words], check=True, capture_output=True, timeout=60)
        return file.read_bytes()

    return write


@pytest.fixture(autouse=True)
def counted_anew() -> None:
    """The front page keeps its aggregates for a while; no test sees those of another."""
    cache.clear()


@pytest.fixture
def alice(db: None) -> User:
    """She operates: every permission."""
    user = User.objects.create_user("alice", is_staff=True)
    user.user_permissions.set(Permission.objects.all())
    return user


@pytest.fixture
def actor(alice: User) -> Actor:
    return actor_of(User.objects.get(pk=alice.pk))


@pytest.fixture
def operator(alice: User) -> Client:
    """Alice's browser."""
    client = Client()
    client.force_login(alice)
    return client


@pytest.fixture
def viewer(db: None) -> Client:
    """Bob's browser: he may look at everything, and do nothing."""
    bob = User.objects.create_user("bob", is_staff=True)
    bob.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    client = Client()
    client.force_login(bob)
    return client


@pytest.fixture
def stranger(db: None) -> Client:
    """Mallory's browser: the admin lets her in, but nothing is hers to see."""
    client = Client()
    client.force_login(User.objects.create_user("mallory", is_staff=True))
    return client


@pytest.fixture
def make_device(db: None, tmp_path: Path) -> MakeDevice:
    """A device with a root folder of its own on this machine: `make_device("box-1", device_type="box")`."""

    def make(name: str = "box-1", *, device_type: str = "box") -> Device:
        root = tmp_path / name
        root.mkdir()
        return Device.objects.create(
            name=name, device_type=device_type, driver=Device.Driver.LOCAL, root=str(root)
        )

    return make


@pytest.fixture
def device(make_device: MakeDevice) -> Device:
    return make_device()


@pytest.fixture
def artifact(mender_file: MakeFile, actor: Actor) -> Artifact:
    return upload_artifact(file=ContentFile(mender_file()), actor=actor, notes="For the lab")


@pytest.fixture
def update_module(actor: Actor) -> UpdateModule:
    return upload_update_module(name="web-file", file=ContentFile(WEB_FILE), actor=actor)


@pytest.fixture
def waiting(
    device: Device, artifact: Artifact, update_module: UpdateModule, actor: Actor
) -> Upgrade:
    """An upgrade that no worker has taken yet."""
    return apply_artifact(device=device, artifact=artifact, actor=actor, reason="Try it")


@pytest.fixture
def succeeded(waiting: Upgrade) -> Upgrade:
    """The same, carried out for real."""
    run_artifact(str(waiting.pk))
    waiting.refresh_from_db()
    return waiting


@pytest.fixture
def rolled_back(
    device: Device, mender_file: MakeFile, update_module: UpdateModule, actor: Actor
) -> Upgrade:
    """An upgrade whose installation failed, so that what was there before came back."""
    content = mender_file("release-2", text="broken")
    artifact = upload_artifact(file=ContentFile(content), actor=actor)
    upgrade = apply_artifact(device=device, artifact=artifact, actor=actor, reason="New page")
    run_artifact(str(upgrade.pk))
    upgrade.refresh_from_db()
    return upgrade
