"""Devices behind one real sshd: each is a folder that plays its `/`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from devices.models import Credential, Device
from tests.drivers.sshd import RunningSshd, start_sshd


@pytest.fixture
def own_sshd(tmp_path: Path) -> Iterator[RunningSshd]:
    """An sshd that a test may stop, and cut off from everybody."""
    running = start_sshd(tmp_path / "sshd")
    yield running
    running.stop()


def let_in(sshd: RunningSshd) -> Credential:
    """What the portal logs in with."""
    return Credential.objects.create(
        name="key", kind=Credential.Kind.SSH_KEY, username=sshd.user, secret=sshd.client_key_pem
    )


def ssh_devices(sshd: RunningSshd, folder: Path, *, count: int) -> list[Device]:
    """`count` devices of type web, `device-0` and so on, with empty folders."""
    credential = let_in(sshd)
    return [_device(sshd, credential, folder / f"device-{number}") for number in range(count)]


def _device(sshd: RunningSshd, credential: Credential, root: Path) -> Device:
    root.mkdir(parents=True)
    return Device.objects.create(
        name=root.name,
        device_type="web",
        driver=Device.Driver.SSH,
        host=sshd.host,
        port=sshd.port,
        credential=credential,
        host_key=sshd.host_key,
        root=str(root),
    )
