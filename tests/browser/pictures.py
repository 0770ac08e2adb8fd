"""`make pictures`: takes the README's pictures anew, from a portal of its own that `manage.py seed` has filled."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page

from tests.environment.child import Child
from tests.environment.chromium import running_chromium
from tests.environment.ports import free_port
from tests.environment.waiting import wait_until

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "portal" / "docs" / "pictures"
LARGEST_BYTES = 200_000
VAR = Path("/var/tmp/fleetwright")
START_SECONDS = 120
SEED_SECONDS = 900
PASSWORD = re.compile(r"user admin with the password (\S+)")


@dataclass(frozen=True, slots=True)
class Picture:
    """`path` may be followed by the link (a CSS selector) that leads on from there."""

    name: str
    path: str
    link: str = ""
    theme: Literal["light", "dark"] = "light"
    width: int = 1280
    height: int = 800


PICTURES = (
    Picture("overview", "/"),
    Picture(
        "upgrade",
        "/updates/upgrade/?days=all&outcome=rolled_back",
        link="tr[data-upgrade] a",
        theme="dark",
        height=900,
    ),
    Picture("history", "/updates/upgrade/?days=all"),
    Picture(
        "phone",
        "/updates/upgrade/?days=all&outcome=succeeded",
        link="tr[data-upgrade] a",
        theme="dark",
        width=390,
        height=800,
    ),
)


def main() -> int:
    with _folder() as var:
        port = free_port()
        log = var / "up.log"
        portal = Child([*_manage(var, "up", f"--port={port}", "--workers=1")], log=log)
        try:
            wait_until(
                lambda: "Fleetwright is ready" in log.read_text() or not portal.running,
                seconds=START_SECONDS,
                what="the portal",
            )
            found = PASSWORD.search(log.read_text())
            if found is None:
                raise RuntimeError(portal.tail())
            subprocess.run(_manage(var, "seed"), check=True, timeout=SEED_SECONDS)
            with running_chromium() as browser:
                for picture in PICTURES:
                    _take(browser, picture, url=f"http://127.0.0.1:{port}", password=found[1])
        finally:
            portal.stop()
    return 0


@contextmanager
def _folder() -> Iterator[Path]:
    """The portal's own folder, which is gone afterwards. Pages show where things are: it has a name that says nothing else."""
    VAR.mkdir(mode=0o700)
    try:
        yield VAR
    finally:
        shutil.rmtree(VAR)


def _manage(var: Path, *words: str) -> list[str]:
    """The command, with nothing of this process's environment but where programs are."""
    kept = [f"{name}={os.environ[name]}" for name in ("PATH", "HOME") if name in os.environ]
    manage = [sys.executable, str(ROOT / "manage.py"), *words]
    return ["env", "-i", f"--chdir={ROOT}", *kept, f"FLEETWRIGHT_VAR={var}", *manage]


def _take(browser: Browser, picture: Picture, *, url: str, password: str) -> None:
    context = browser.new_context(
        viewport={"width": picture.width, "height": picture.height}, color_scheme=picture.theme
    )
    page = context.new_page()
    _log_in(page, url, password)
    page.goto(url + picture.path)
    if picture.link:
        page.locator(picture.link).first.click()
    page.wait_for_load_state("networkidle")
    target = FOLDER / f"{picture.name}.png"
    size = len(page.screenshot(path=target, animations="disabled"))
    context.close()
    if size > LARGEST_BYTES:
        raise RuntimeError(f"{target.name} has {size} bytes, more than {LARGEST_BYTES}")
    sys.stdout.write(f"{target.relative_to(ROOT)}: {size} bytes\n")


def _log_in(page: Page, url: str, password: str) -> None:
    page.goto(f"{url}/login/")
    page.locator("[name=username]").fill("admin")
    page.locator("[name=password]").fill(password)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(f"{url}/")


if __name__ == "__main__":
    sys.exit(main())
