"""The file tree of a device: a small Debian with systemd, sshd and the real Mender client."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
from pathlib import Path

from tests.environment.programs import need_root, program
from tests.environment.workdir import workdir

CACHE = Path(__file__).parents[2] / "var" / "cache"
RELEASE = "bookworm"
PACKAGES = (
    "systemd-sysv",
    "dbus",
    "dbus-user-session",  # a user manager for each user, as rootless modules want
    "libpam-systemd",
    "openssh-server",
    "ca-certificates",
    "jq",
    "procps",
    "iproute2",
    "python3",  # what modules' scripts are written in
    "mender-client",
)
INIT = """\
#!/bin/sh
# A container shows its host's boot id. A device has its own, and a new one at each boot.
set -e
cat /proc/sys/kernel/random/uuid > /run/boot-id
mount --bind /run/boot-id /proc/sys/kernel/random/boot_id
exec /sbin/init
"""
# The client starts when a test has configured it. Host keys are each device's own. The rest is only size.
STRIP = """\
set -e
rm etc/systemd/system/multi-user.target.wants/mender-client.service
rm etc/ssh/ssh_host_*
rm -rf var/cache/apt var/lib/apt/lists/* usr/share/doc usr/share/locale usr/share/man
mkdir -p data/mender
"""
BUILD_SECONDS = 600


def device_image_file() -> Path:
    """A tar file of the tree, for `docker import`; made on first use (a minute), kept until the recipe changes."""
    recipe = repr((RELEASE, PACKAGES, INIT, STRIP))
    path = CACHE / f"device-{hashlib.sha256(recipe.encode()).hexdigest()[:16]}.tar"
    if path.exists():
        return path
    need_root("making a device's file tree")
    program("debootstrap", package="debootstrap")
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "device.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            for old in CACHE.glob("device-*.tar"):
                old.unlink()
            _build(path)
    return path


def _build(path: Path) -> None:
    draft = path.with_suffix(".draft")
    # Not in the checkout's folder: its file system may forbid device files or set-user-id programs.
    tree = workdir() / "device-tree"
    try:
        _run(
            "debootstrap",
            "--variant=minbase",
            f"--include={','.join(PACKAGES)}",
            RELEASE,
            str(tree),
        )
        init = tree / "sbin" / "device-init"
        init.write_text(INIT)
        init.chmod(0o755)
        _run("sh", "-c", STRIP, folder=tree)
        _run("tar", "--create", "--numeric-owner", f"--file={draft}", "--directory", str(tree), ".")
        draft.rename(path)
    finally:
        draft.unlink(missing_ok=True)
        shutil.rmtree(tree, ignore_errors=True)


def _run(*command: str, folder: Path | None = None) -> None:
    finished = subprocess.run(
        command,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=BUILD_SECONDS,
        check=False,
    )
    if finished.returncode:
        last_words = finished.stdout.decode(errors="replace")[-2000:]
        raise RuntimeError(f"{command[0]} failed:\n{last_words}")
