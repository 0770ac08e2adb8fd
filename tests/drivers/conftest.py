"""The devices that the conformance tests run against."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from devices.drivers.shell import Shell
from tests.drivers.device import KINDS, Device, busybox_only
from tests.drivers.sshd import SSHD, RunningSshd, start_sshd


@pytest.fixture(scope="session")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSshd]:
    if SSHD is None:
        pytest.skip("openssh-server is not installed")
    running = start_sshd(tmp_path_factory.mktemp("sshd"))
    yield running
    running.stop()


@pytest.fixture(params=KINDS)
def device(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Device:
    (tmp_path / "boot_id").write_text("first\n")
    if request.param == "busybox":
        if shutil.which("busybox") is None:
            pytest.skip("busybox is not installed")
        monkeypatch.setenv("PATH", busybox_only(tmp_path / "bin"))
    running = request.getfixturevalue("sshd") if request.param == "ssh" else None
    # A real `reboot` answers before the device goes down.
    goes_down = f"sleep 0.3; echo second >{tmp_path}/boot_id"
    detach = "import subprocess, sys; subprocess.Popen(sys.argv[1:], start_new_session=True)"
    reboot = [sys.executable, "-c", detach, "sh", "-c", goes_down]
    return Device(kind=request.param, root=tmp_path, sshd=running, reboot_command=reboot)


@pytest.fixture
def shell(device: Device) -> Iterator[Shell]:
    with device.shell() as opened:
        yield opened
