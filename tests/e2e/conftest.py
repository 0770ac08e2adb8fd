"""What end-to-end tests share: everything here meets the real thing."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.core.files.base import ContentFile

from devices.models import Credential, Device
from portal.core.actors import PORTAL
from tests.e2e.portal_for_devices import Portal
from tests.e2e.portal_process import PortalProcess
from tests.environment.device_container import DeviceContainer
from tests.environment.docker import DockerEngine
from tests.environment.ports import free_port
from tests.environment.programs import program
from tests.environment.ssh_fleet import own_sshd as own_sshd
from updates.models import Artifact
from updates.services.artifacts import upload_artifact

DEVICE_TYPE = "raspberrypi4"
StartPortal = Callable[..., PortalProcess]
WriteArtifact = Callable[..., Path]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.e2e)


@pytest.fixture
def start_portal(
    database_url: str, redis_url: str, tmp_path: Path
) -> Iterator[Callable[..., PortalProcess]]:
    """Starts `manage.py WORDS...` over the test's database and Redis; whatever still runs at the end is killed."""
    running: list[PortalProcess] = []

    def start(*words: str, **env: str) -> PortalProcess:
        log = tmp_path / f"{len(running)}-{words[0]}.log"
        process = PortalProcess(
            *words, env={"DATABASE_URL": database_url, "REDIS_URL": redis_url, **env}, log=log
        )
        running.append(process)
        return process

    yield start
    for process in running:
        if process.running:
            process.kill_with_children()


@pytest.fixture
def write_artifact(tmp_path: Path) -> WriteArtifact:
    """Writes a real artifact with the real tool: `write_artifact(name, {file: text}, ...)`."""
    tool = program("mender-artifact", package="mender-artifact")

    def write(
        name: str, files: dict[str, str], *, payload_type: str = "web-file", device_type: str
    ) -> Path:
        folder = tmp_path / f"payload-{name}"
        folder.mkdir()
        words: list[str] = []
        for file, text in files.items():
            (folder / file).write_text(text)
            words += ["-f", str(folder / file)]
        target = tmp_path / f"{name}.mender"
        subprocess.run(
            [
                tool,
                "write",
                "module-image",
                "-t",
                device_type,
                "-o",
                str(target),
                "-T",
                payload_type,
                "-n",
                name,
                *words,
            ],
            check=True,
            capture_output=True,
        )
        return target

    return write


@pytest.fixture
def container(device_container: Callable[..., DeviceContainer]) -> DeviceContainer:
    """A device that has booted systemd."""
    return device_container(device_type=DEVICE_TYPE)


@pytest.fixture
def device(container: DeviceContainer, transactional_db: None) -> Device:
    """The same, as the portal knows it."""
    credential = Credential.objects.create(
        name="key",
        kind=Credential.Kind.SSH_KEY,
        username=container.user,
        secret=container.client_key_pem,
    )
    return Device.objects.create(
        name="raspberry",
        device_type=DEVICE_TYPE,
        driver=Device.Driver.SSH,
        host=container.host,
        port=container.port,
        credential=credential,
        host_key=container.host_key,
    )


@pytest.fixture
def uploaded(write_artifact: WriteArtifact) -> Callable[..., Artifact]:
    """An artifact, written by the real tool and uploaded through the service."""

    def upload(name: str, files: dict[str, str], **words: str) -> Artifact:
        path = write_artifact(name, files, **words)
        return upload_artifact(file=ContentFile(path.read_bytes(), name=path.name), actor=PORTAL)

    return upload


@pytest.fixture
def portal(docker_engine: DockerEngine, start_portal: StartPortal) -> Portal:
    """The portal's web server, over the test's database, where containers reach it."""
    host, port = docker_engine.machine_address, free_port()

    def start() -> PortalProcess:
        words = ("start", "web", "--host", host, "--port", str(port))
        return start_portal(*words, ALLOWED_HOSTS=host)

    return Portal(host, port, start, start())
