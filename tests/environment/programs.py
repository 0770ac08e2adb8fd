"""Programs of the machine that a test cannot do without."""

from __future__ import annotations

import os
import shutil

import pytest

from tests.environment import debian

SEARCH_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])


def program(name: str, *, package: str) -> str:
    """The program's path. It is installed first where that is allowed; else the test is skipped, naming it."""
    path = shutil.which(name, path=SEARCH_PATH)
    if path is None:
        debian.install_missing()
        path = shutil.which(name, path=SEARCH_PATH)
    if path is None:
        pytest.skip(f"{name} is missing (Debian's package {package})")
    return path


def need_root(what: str) -> None:
    """Skips the test where it does not run as root: `what` needs it."""
    if os.geteuid() != 0:
        pytest.skip(f"{what} needs root")
