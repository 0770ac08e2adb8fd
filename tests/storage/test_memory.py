"""No file's size decides what memory it takes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.environment.s3 import KEYS, S3Server

MIB = 2**20
SIZE = 256 * MIB
ALLOWED = 64 * MIB
SECONDS = 300


def test_a_bucket_takes_and_gives_a_large_file_in_little_memory(
    bucket: str, s3_server: S3Server, tmp_path: Path
) -> None:
    url = f"s3://{bucket}?endpoint={s3_server.url}&region=us-east-1&addressing=path"
    env = {
        **os.environ,
        **KEYS,
        "DJANGO_SETTINGS_MODULE": "portal.settings",
        "FLEETWRIGHT_VAR": str(tmp_path),
        "STORAGE_URL": url,
    }
    done = subprocess.run(
        [sys.executable, "-m", "tests.storage.measured", str(SIZE)],
        env=env,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert done.returncode == 0, done.stderr
    rise = int(done.stdout)
    print(f"{SIZE // MIB} MiB through a bucket: {rise / MIB:.1f} MiB more memory")  # noqa: T201
    assert rise < ALLOWED
