"""Debian's packages that the tests need: which are missing, and their installation where root may do so on Debian."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LIST = Path(__file__).with_name("packages.txt")
LOCK = Path(__file__).parents[2] / "var" / "cache" / "debian.lock"
POLICY = Path("/usr/sbin/policy-rc.d")
APT_GET = ["apt-get", "-o", "DPkg::Lock::Timeout=300", "-o", "Acquire::Retries=3", "-q"]


def listed() -> list[str]:
    """The names in packages.txt."""
    lines = (line.partition("#")[0].strip() for line in LIST.read_text().splitlines())
    return [line for line in lines if line]


def is_debian() -> bool:
    release = Path("/etc/os-release")
    return release.exists() and "ID=debian" in release.read_text().splitlines()


def may_install() -> bool:
    return is_debian() and os.geteuid() == 0


def missing() -> list[str]:
    """The listed packages that dpkg does not hold as installed; all of them where there is no dpkg.

    A package that another one provides counts as installed: Node's own packages for Debian bring npm along.
    """
    if shutil.which("dpkg-query") is None:
        return listed()
    query = ["dpkg-query", "--show", "--showformat=${db:Status-Status}|${Package}, ${Provides}\n"]
    answer = subprocess.run(query, capture_output=True, text=True, check=False)
    rows = (line.partition("|") for line in answer.stdout.splitlines())
    held = {
        name.strip().partition(" ")[0]
        for state, _, names in rows
        if state == "installed"
        for name in names.split(",")
    }
    return [name for name in listed() if name not in held]


def install_missing() -> list[str]:
    """What is still missing afterwards. Quick when nothing is; several processes may call it at once."""
    if not may_install() or not missing():
        return missing()
    LOCK.parent.mkdir(parents=True, exist_ok=True)
    with LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        names = missing()
        if names:
            with _services_not_started():
                _apt_get("update")
                if not _apt_get("install", *names):
                    # One name that this release of Debian does not have must not cost all the others.
                    for name in names:
                        _apt_get("install", name)
    return missing()


def _apt_get(verb: str, *names: str) -> bool:
    choices = [] if verb == "update" else ["--yes", "--no-install-recommends"]
    finished = subprocess.run(
        [*APT_GET, verb, *choices, *names],
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
        env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"},
    )
    return finished.returncode == 0


@contextmanager
def _services_not_started() -> Iterator[None]:
    """The tests start private servers; the machine should not get a public sshd or database from a set-up."""
    if POLICY.exists():
        yield
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()


def main() -> int:
    """Says in one line what the machine has; fails only in CI, where nothing may be missing."""
    left = install_missing()
    if not left:
        sys.stdout.write("setup: all of Debian's packages that the tests need are here\n")
        return 0
    if may_install():
        reason = "apt-get could not install them"
    else:
        reason = "only root can install them" if is_debian() else "this is not Debian"
    sys.stdout.write(f"setup: tests that need these are skipped, {reason}: {' '.join(left)}\n")
    return 1 if os.environ.get("CI") == "true" else 0


if __name__ == "__main__":
    sys.exit(main())
