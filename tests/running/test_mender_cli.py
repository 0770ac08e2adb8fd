"""Debian's own mender-cli against the portal, over the portal's own TLS."""

from __future__ import annotations

import os
import re
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.environment.programs import program
from tests.pulled.pretend import AUTH, PretendDevice, signature
from tests.running.conftest import StartUp
from tests.running.portal_up import PortalUp

pytestmark = pytest.mark.e2e

PASSWORD = re.compile(r"the user admin with the password (\S+)")
PAYLOAD_BYTES = 3 * 2**20
PATIENCE_SECONDS = 60

Cli = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def portal(start_up: StartUp) -> PortalUp:
    portal = start_up(tls=True)
    portal.wait_until_ready()
    return portal


@pytest.fixture
def cli(portal: PortalUp, tmp_path: Path) -> Cli:
    """Runs it with these words, logged in once, and trusting the portal by its certificate."""
    tool = program("mender-cli", package="mender-cli")
    env = {
        **os.environ,
        "HOME": str(tmp_path),
        "SSL_CERT_FILE": str(portal.certificate),
    }

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [tool, "--server", portal.url, *words],
            env=env,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )

    told = PASSWORD.search(portal.said)
    assert told
    done = run("login", "--username", "admin", "--password", told[1])
    assert "login successful" in done.stdout + done.stderr, done
    return run


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    (tmp_path / "payload").write_bytes(os.urandom(PAYLOAD_BYTES))
    file = tmp_path / "release-1.mender"
    words = ["write", "module-image", "-T", "single-file", "-n", "release-1", "-t", "box"]
    words += ["-f", str(tmp_path / "payload"), "-o", str(file)]
    tool = program("mender-artifact", package="mender-artifact")
    subprocess.run([tool, *words], check=True, capture_output=True, timeout=PATIENCE_SECONDS)
    return file


def test_it_uploads_lists_and_deletes_artifacts(cli: Cli, artifact: Path) -> None:
    upload = cli("artifacts", "upload", str(artifact), "--description", "For Friday")
    assert upload.returncode == 0, upload
    shown = cli("artifacts", "list", "--detail", "3").stdout
    assert "Name: release-1" in shown
    assert "Description: For Friday" in shown
    assert f"Size: {PAYLOAD_BYTES}" in shown

    again = cli("artifacts", "upload", str(artifact), "--no-progress")
    assert (again.returncode != 0, "409" in again.stderr) == (True, True), again
    broken = cli("artifacts", "upload", str(artifact.with_name("payload")), "--no-progress")
    assert "400" in broken.stderr, broken

    name = re.search(r"ID: (\S+)", shown)
    assert name
    deleted = cli("artifacts", "delete", name[1])
    assert deleted.returncode == 0, deleted
    assert "release-1" not in cli("artifacts", "list").stdout


def test_it_lists_devices(portal: PortalUp, cli: Cli) -> None:
    none = cli("devices", "list")
    assert (none.returncode, "ID:" in none.stdout) == (0, False), none
    assert asks(portal, PretendDevice({"mac": "52:54:00:00:00:01", "sn": "0815"})) == 401
    shown = cli("devices", "list", "--detail", "2").stdout
    assert "Status: pending" in shown
    assert "MAC address: 52:54:00:00:00:01" in shown
    assert "BEGIN PUBLIC KEY" in shown


def asks(portal: PortalUp, device: PretendDevice) -> int:
    """The status that the device hears when it asks to be let in."""
    body = device.auth_body()
    request = urllib.request.Request(
        f"https://127.0.0.1:{portal.port}{AUTH}",
        body,
        {"X-MEN-Signature": signature(device.key, body)},
        method="POST",
    )
    trust = ssl.create_default_context(cafile=portal.certificate)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS, context=trust) as answer:  # noqa: S310 - ours
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code
