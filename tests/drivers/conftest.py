"""The devices that the conformance tests run against."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from devices.drivers.shell import Shell
from tests.drivers.device import KINDS, Device, busybox_only
from tests.drivers.sshd import SSHD, RunningSshd, start_sshd
from tests.drivers.stage import Stage, leave_running
from tests.environment.waiting import wait_until


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


@pytest.fixture
def stage(device: Device) -> Iterator[Stage]:
    stage = Stage(device=device, root=device.root)
    yield stage
    stage.end()
    wait_until(lambda: not stage.living(), seconds=10, what="the step's end")


@pytest.fixture
def begun(shell: Shell, stage: Stage) -> Stage:
    """A step that runs on the device, with nobody attached to it."""
    leave_running(shell, stage)
    return stage


@pytest.fixture
def worker(stage: Stage) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that has started the step, and is attached to it."""
    sshd, spec, holder = stage.device.sshd, stage.step(), stage.holder()
    order = {
        "kind": stage.device.kind,
        "root": str(stage.root),
        "port": sshd and sshd.port,
        "user": sshd and sshd.user,
        "client_key": sshd and sshd.client_key_pem,
        "host_key": sshd and sshd.host_key,
        "step": {"key": spec.key, "command": spec.command, "cwd": spec.cwd},
        "holder": {"fence": 1, "work_root": holder.work_root, "upgrade": holder.upgrade},
    }
    started = subprocess.Popen(
        [sys.executable, "-m", "tests.drivers.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with started:
        assert started.stdin is not None
        started.stdin.write(json.dumps(order).encode())
        started.stdin.close()
        stage.await_begun()
        yield started
        started.kill()
