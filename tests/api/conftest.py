"""People with and without permissions, devices, and artifacts that the real tool wrote."""

from __future__ import annotations

import functools
import subprocess
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest
from django.contrib.auth.models import Permission, User
from django.core.files.base import ContentFile

from devices.models import Device
from portal.core.actors import PORTAL
from tests.api.caller import Caller
from tests.environment.programs import program
from updates.models import Artifact
from updates.services.artifacts import upload_artifact

MakeFile = Callable[..., bytes]
MakeDevice = Callable[..., Device]
MakeArtifact = Callable[..., Artifact]


@pytest.fixture(scope="session")
def mender_file(tmp_path_factory: pytest.TempPathFactory) -> MakeFile:
    """Writes a Mender Artifact: `mender_file("release-1", device_type="box")`."""
    tool = program("mender-artifact", package="mender-artifact")
    folder = tmp_path_factory.mktemp("artifacts")
    (folder / "index.html").write_text("<h1>Hello</h1>")

    @functools.cache  # a file that is written again a second later is another one
    def write(name: str = "release-1", *, device_type: str = "box") -> bytes:
        file = folder / f"{name}-{device_type}.mender"
        words = ["write", "module-image", "-T", "web-file", "-n", name, "-t", device_type]
        words += ["-f", str(folder / "index.html"), "-o", str(file)]
        subprocess.run([tool, *words], check=True, capture_output=True, timeout=60)
        return file.read_bytes()

    return write


@pytest.fixture
def make_artifact(db: None, mender_file: MakeFile) -> MakeArtifact:
    """Uploads a new one: `make_artifact("release-1")`."""

    def make(name: str = "release-1", *, device_type: str = "box") -> Artifact:
        content = mender_file(name, device_type=device_type)
        return upload_artifact(file=ContentFile(content), actor=PORTAL)

    return make


@pytest.fixture
def make_device(db: None, tmp_path: Path) -> MakeDevice:
    """A device with a root folder of its own on this machine: `make_device(device_type="box")`."""
    numbers = count(1)

    def make(*, device_type: str = "box") -> Device:
        name = f"box-{next(numbers):03}"
        return Device.objects.create(
            name=name,
            device_type=device_type,
            driver=Device.Driver.LOCAL,
            root=str(tmp_path / name),
        )

    return make


@pytest.fixture
def operator(db: None) -> Caller:
    """Alice may do everything, because she was given each permission."""
    alice = User.objects.create_user("alice")
    alice.user_permissions.set(Permission.objects.all())
    return Caller(alice)


@pytest.fixture
def viewer(db: None) -> Caller:
    """Bob may look at everything, and do nothing."""
    bob = User.objects.create_user("bob")
    bob.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    return Caller(bob)


@pytest.fixture
def stranger(db: None) -> Caller:
    """Mallory has a token and no permission."""
    return Caller(User.objects.create_user("mallory"))


@pytest.fixture
def anonymous(db: None) -> Caller:
    return Caller(None)
