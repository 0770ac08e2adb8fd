"""A large artifact goes from the browser to a device, and no program of the portal grows with it.

256 MiB by default; FLEETWRIGHT_LARGE_MIB says another size.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPResponse
from pathlib import Path
from typing import cast
from urllib.request import Request, urlopen

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.memory import peaks, resident
from tests.environment.chromium import open_page
from tests.environment.programs import program
from tests.running.portal_up import PortalUp

MIB = 2**20
SIZE_MIB = int(os.environ.get("FLEETWRIGHT_LARGE_MIB", "256"))
ALLOWED = 64 * MIB
MILLISECONDS = (120 + SIZE_MIB) * 1000
PASSWORD = re.compile(r"Made the user admin with the password (\S+)")
MODULE = """#!/bin/sh
set -eu
case "$1" in
    ArtifactInstall) mkdir -p "$FLEETWRIGHT_ROOT/opt" && mv "$2"/files/* "$FLEETWRIGHT_ROOT/opt/" ;;
esac
"""


@pytest.fixture
def portal(tmp_path: Path) -> Iterator[PortalUp]:
    """The whole portal, as `manage.py up` starts it, with this machine as the device `localhost`."""
    var = tmp_path / "var"
    modules = var / "localhost/usr/share/mender/modules/v3"
    modules.mkdir(parents=True)
    (modules / "large").write_text(MODULE)
    (modules / "large").chmod(0o755)
    url = f"sqlite:///{var / 'fleetwright.sqlite3'}"
    group = PortalUp(var=var, env={"DATABASE_URL": url})
    try:
        group.wait_until_ready()
        yield group
    finally:
        group.end()


@dataclass(frozen=True)
class Operator:
    """Somebody before a real browser."""

    page: Page
    url: str

    def log_in(self, said: str) -> None:
        found = PASSWORD.search(said)
        assert found is not None, said
        self.page.goto(f"{self.url}/login/")
        self.page.locator("[name=username]").fill("admin")
        self.page.locator("[name=password]").fill(found[1].rstrip("."))
        self.page.get_by_role("button", name="Log in").click()
        self.page.wait_for_url(f"{self.url}/")

    def upload(self, path: Path) -> None:
        """The artifact is uploaded and verified, and its page is open."""
        self.page.goto(f"{self.url}/updates/artifact/upload/")
        self.page.locator("[name=file]").set_input_files(path)
        self.page.get_by_role("button", name="Upload", exact=True).click()
        expect(self.page.locator("#artifact")).to_be_visible(timeout=MILLISECONDS)

    def deploy(self) -> None:
        """What is on the open artifact page is on every device."""
        self.page.get_by_role("link", name="Deploy", exact=True).click()
        self.page.locator("[name=everything]").check()
        self.page.locator("[name=reason]").fill("To see that it gets there")
        self.page.get_by_role("button", name="Preview").click()
        self.page.get_by_role("button", name="Confirm deployment").click()
        expect(self.page.locator("[data-count=succeeded]")).to_contain_text(
            "1", timeout=MILLISECONDS
        )

    def download(self) -> str:
        """The SHA-256 of what is on the open artifact page, fetched in two parts, as after a connection that broke."""
        link = self.page.get_by_role("link", name="Download", exact=True).get_attribute("href")
        digest = hashlib.sha256()
        with self._ask(link, method="HEAD") as whole:
            pass
        size = int(whole.headers["Content-Length"])
        for part in (f"bytes=0-{size // 2}", f"bytes={size // 2 + 1}-"):
            headers = {"Range": part, "If-Range": whole.headers["ETag"], "Accept-Encoding": "gzip"}
            with self._ask(link, headers=headers) as answer:
                assert (answer.status, answer.headers["Content-Encoding"]) == (206, None)
                while piece := answer.read(MIB):
                    digest.update(piece)
        return digest.hexdigest()

    def _ask(
        self, path: str | None, *, method: str = "GET", headers: dict[str, str] | None = None
    ) -> HTTPResponse:
        cookies = "; ".join(f"{c['name']}={c['value']}" for c in self.page.context.cookies())
        request = Request(  # noqa: S310 - loopback
            f"{self.url}{path}", method=method, headers={"Cookie": cookies, **(headers or {})}
        )
        return cast(HTTPResponse, urlopen(request, timeout=MILLISECONDS))  # noqa: S310


@pytest.fixture
def operator(chromium: Browser, portal: PortalUp) -> Iterator[Operator]:
    with open_page(chromium) as page:
        operator = Operator(page, f"http://127.0.0.1:{portal.port}")
        operator.log_in(portal.said)
        yield operator


def write(folder: Path, *, mib: int) -> tuple[Path, str]:
    """An artifact with one file of so many MiB that no compression shortens, and the file's SHA-256."""
    payload, artifact = folder / f"payload-{mib}.bin", folder / f"release-{mib}.mender"
    digest = hashlib.sha256()
    with payload.open("wb") as file:
        for _ in range(mib):
            piece = os.urandom(MIB)
            digest.update(piece)
            file.write(piece)
    tool = program("mender-artifact", package="mender-artifact")
    words = ["--compression", "none", "write", "module-image", "-T", "large", "-t", "localhost"]
    words += ["-n", f"release-{mib}", "-f", str(payload), "-o", str(artifact)]
    subprocess.run([tool, *words], check=True, capture_output=True)
    return artifact, digest.hexdigest()


def test_a_large_artifact_goes_in_and_out_and_to_a_device_in_little_memory(
    portal: PortalUp, operator: Operator, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    programs = {"web": portal.program("granian"), "worker": portal.program("rqworker")}
    small, _ = write(tmp_path, mib=1)
    operator.upload(small)
    operator.deploy()
    idle = {name: resident(pid) for name, pid in programs.items()}

    large, sha256 = write(tmp_path, mib=SIZE_MIB)
    with peaks(programs) as during_upload:
        operator.upload(large)
    with peaks(programs) as during_download, large.open("rb") as file:
        assert operator.download() == hashlib.file_digest(file, "sha256").hexdigest()
    with peaks(programs) as during_deployment:
        operator.deploy()

    seen = {
        "uploading": during_upload.seen,
        "downloading": during_download.seen,
        "deploying": during_deployment.seen,
    }
    with capsys.disabled():
        for name, bytes_idle in idle.items():
            words = [f"{what} {found[name] / MIB:.0f} MiB" for what, found in seen.items()]
            idle_words = f"idle {bytes_idle / MIB:.0f} MiB"
            print(f"\n{SIZE_MIB} MiB, {name}: {', '.join([idle_words, *words])}")  # noqa: T201
    there = portal.var / f"localhost/opt/payload-{SIZE_MIB}.bin"
    with there.open("rb") as file:
        assert hashlib.file_digest(file, "sha256").hexdigest() == sha256
    assert list((portal.var / "incoming").iterdir()) == []
    for name, bytes_idle in idle.items():
        assert max(found[name] for found in seen.values()) < bytes_idle + ALLOWED
