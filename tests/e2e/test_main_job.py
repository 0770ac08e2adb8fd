"""A fresh clone, `make run`, and the main job in a real browser: upload, deploy, watch, fail, roll back, read the history."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.portal_process import ROOT
from tests.environment.ports import free_port
from tests.environment.programs import program
from tests.environment.waiting import wait_until

START_SECONDS = 300
UPGRADE_MILLISECONDS = 60_000
PASSWORD = re.compile(r"user admin with the password (\S+)")
MODULE = """\
#!/bin/sh
set -e
www="$FLEETWRIGHT_ROOT/var/www"
case "$1" in
    SupportsRollback) echo Yes ;;
    ArtifactInstall)
        mkdir -p "$www"
        (cd "$www" && tar -cf "$2/tmp/before.tar" .)
        rm -rf "$www" && mkdir "$www"
        echo "copying $(ls "$2/files")"
        cp "$2"/files/* "$www"
        if [ -e "$www/broken" ]; then echo "the page does not load" >&2; exit 1; fi ;;
    ArtifactRollback)
        rm -rf "$www" && mkdir "$www"
        tar -xf "$2/tmp/before.tar" -C "$www" ;;
esac
"""


@dataclass(frozen=True, slots=True)
class RunningPortal:
    url: str
    password: str
    www: Path


@pytest.fixture
def portal(tmp_path: Path) -> Iterator[RunningPortal]:
    """A clone of the last commit, run as the README says, with nothing of this process's environment but PATH and HOME."""
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
    port = free_port()
    kept = ("PATH", "HOME", "PIP_CERT", "PIP_FIND_LINKS", "PIP_INDEX_URL", "SSL_CERT_FILE")
    log = tmp_path / "make-run.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["make", "run", f"ARGS=--port {port}"],
            cwd=clone,
            env={name: os.environ[name] for name in kept if name in os.environ},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until(
            lambda: process.poll() is not None or _answers(f"{url}/readyz"),
            seconds=START_SECONDS,
            what=f"{url}/readyz",
        )
        said = log.read_text()
        found = PASSWORD.search(said)
        assert found is not None, said
        yield RunningPortal(url, found[1], clone / "var/localhost/var/www")
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(60)
        shutil.rmtree(clone)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 - our own loopback
            return bool(answer.status == 200)
    except OSError:
        return False


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str, dict[str, str]], Path]:
    tool = program("mender-artifact", package="mender-artifact")

    def write(name: str, files: dict[str, str]) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        words = []
        for file, text in files.items():
            (folder / file).write_text(text)
            words += ["-f", str(folder / file)]
        target = tmp_path / f"{name}.mender"
        command = [tool, "write", "module-image", "-t", "localhost", "-T", "web-file", "-n", name]
        subprocess.run([*command, "-o", str(target), *words], check=True, capture_output=True)
        return target

    return write


def test_a_newcomer_does_the_main_job(
    portal: RunningPortal,
    page: Page,
    tmp_path: Path,
    written: Callable[[str, dict[str, str]], Path],
) -> None:
    page.set_default_timeout(20_000)
    log_in(page, portal)
    bring_module(page, portal, tmp_path)

    upload(page, portal, written("web-1.0", {"index.html": "hello"}))
    deploy(page, "the first page")
    assert watched(page) == "succeeded"
    expect(page.locator("#output")).to_contain_text("copying index.html")
    assert files(portal) == {"index.html": "hello"}

    upload(page, portal, written("web-2.0", {"index.html": "bye", "broken": "yes"}))
    deploy(page, "a page that does not load")
    assert watched(page) == "rolled_back"
    expect(page.locator("#upgrade")).to_contain_text("the page does not load")
    assert files(portal) == {"index.html": "hello"}

    page.goto(f"{portal.url}/updates/upgrade/?q=web-2.0")
    expect(page.locator("tr[data-upgrade]")).to_contain_text("a page that does not load")

    page.goto(f"{portal.url}/updates/upgrade/?q=the+first+page")
    page.locator("tr[data-upgrade] a").first.click()
    page.get_by_role("link", name="Roll back", exact=True).click()
    page.locator("[name=reason]").fill("the old look was better")
    page.get_by_role("button", name="Roll back", exact=True).click()
    assert watched(page) == "succeeded"
    assert files(portal) == {}


def log_in(page: Page, portal: RunningPortal) -> None:
    page.goto(portal.url)
    page.locator("[name=username]").fill("admin")
    page.locator("[name=password]").fill(portal.password)
    page.get_by_role("button", name="Log in").click()
    expect(page).to_have_url(f"{portal.url}/")


def bring_module(page: Page, portal: RunningPortal, folder: Path) -> None:
    script = folder / "web-file"
    script.write_text(MODULE)
    page.goto(f"{portal.url}/updates/updatemodule/upload/")
    page.locator("[name=name]").fill("web-file")
    page.locator("#id_file").set_input_files(script)
    page.get_by_role("button", name="Upload", exact=True).click()
    expect(page.locator("body")).to_contain_text("web-file v1")


def upload(page: Page, portal: RunningPortal, file: Path) -> None:
    page.goto(f"{portal.url}/updates/artifact/")
    page.get_by_role("link", name="Upload artifact").click()
    page.locator("#id_file").set_input_files(file)
    page.get_by_role("button", name="Upload", exact=True).click()
    expect(page.locator("#artifact")).to_contain_text("index.html")


def deploy(page: Page, reason: str) -> None:
    page.get_by_role("link", name="Deploy", exact=True).first.click()
    page.locator("[name=everything]").check()
    page.locator("[name=reason]").fill(reason)
    page.get_by_role("button", name="Preview").click()
    expect(page.locator("[data-takes]")).to_have_attribute("data-takes", "1")
    page.get_by_role("button", name="Confirm deployment").click()
    page.locator("#deployment table a").first.click()


def watched(page: Page) -> str:
    """The outcome, which the page shows by itself when the upgrade is over."""
    expect(page.locator("#upgrade")).to_have_attribute(
        "data-state", "finished", timeout=UPGRADE_MILLISECONDS
    )
    return str(page.locator("#upgrade").get_attribute("data-outcome"))


def files(portal: RunningPortal) -> dict[str, str]:
    return {path.name: path.read_text() for path in portal.www.iterdir()}
