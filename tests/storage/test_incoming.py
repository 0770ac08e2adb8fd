"""Uploads that nobody will finish."""

from __future__ import annotations

import os
from pathlib import Path

from pytest_django import Settings

from portal.core.incoming import KEPT_SECONDS, forget_old_uploads


def test_what_a_killed_process_left_goes_after_a_day(tmp_path: Path, settings: Settings) -> None:
    settings.FILE_UPLOAD_TEMP_DIR = str(tmp_path)
    old, new, foreign = (tmp_path / name for name in ("a.upload", "b.upload.mender", "notes.txt"))
    for path in (old, new, foreign):
        path.write_bytes(b"a part of a file")
    for path in (old, foreign):
        os.utime(path, (path.stat().st_atime, path.stat().st_mtime - KEPT_SECONDS - 1))
    assert forget_old_uploads() == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.upload.mender", "notes.txt"]
