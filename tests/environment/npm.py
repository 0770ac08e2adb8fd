"""What the browser tests take from npm, installed from the lock file into a folder that git does not see."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.environment.programs import program

ASKED = Path(__file__).parents[1] / "browser"
FILES = ("package.json", "package-lock.json")
FOLDER = Path(__file__).parents[2] / "var" / "cache" / "npm"
INSTALL_SECONDS = 180


def installed(path: str) -> Path:
    """The file `path` of node_modules, as the lock file pins it. Skips the test where it cannot be had."""
    npm = program("npm", package="npm")
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _is_current():
            failure = _install(npm)
            if failure:
                pytest.skip(f"npm could not install {path.partition('/')[0]}: {failure}")
    return FOLDER / "node_modules" / path


def _is_current() -> bool:
    """Whether the last installation was made from the lock file of now, to its end."""
    stamp = FOLDER / "installed"
    return stamp.exists() and stamp.read_bytes() == (ASKED / FILES[1]).read_bytes()


def _install(npm: str) -> str:
    """Why not; nothing when all is there. No script of a package is run."""
    (FOLDER / "installed").unlink(missing_ok=True)
    for name in FILES:
        shutil.copy(ASKED / name, FOLDER / name)
    finished = subprocess.run(
        [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
        cwd=FOLDER,
        env=os.environ | {"npm_config_update_notifier": "false"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=INSTALL_SECONDS,
    )
    if finished.returncode:
        return " ".join(finished.stderr.split())[:300]
    shutil.copy(FOLDER / FILES[1], FOLDER / "installed")
    return ""


def main() -> int:
    """For `make setup`: says in one line what came of it; fails only in CI, where nothing may be missing."""
    try:
        installed("axe-core/axe.min.js")
    except pytest.skip.Exception as missing:
        sys.stdout.write(f"setup: tests that need npm's packages are skipped: {missing}\n")
        return 1 if os.environ.get("CI") == "true" else 0
    sys.stdout.write("setup: npm's packages that the tests need are here\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
