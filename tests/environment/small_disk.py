"""A folder with a small file system of its own, to be filled."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.environment.programs import need_root


@contextmanager
def small_disk(folder: Path, *, mebibytes: int) -> Iterator[None]:
    """There is no more room than that in `folder`, which is made."""
    need_root("a small disk")
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={mebibytes}m"]
    subprocess.run(["mount", *options, "tmpfs", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
