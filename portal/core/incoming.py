"""The folder of uploads on their way."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

from django.conf import settings

KEPT_SECONDS: Final = 24 * 3600


def forget_old_uploads() -> int:
    """What a killed process left there more than a day ago is gone: how many files. One that still comes in is younger."""
    oldest = time.time() - KEPT_SECONDS
    gone = 0
    for path in Path(settings.FILE_UPLOAD_TEMP_DIR).glob("*.upload*"):
        try:
            if path.stat().st_mtime < oldest:
                path.unlink()
                gone += 1
        except FileNotFoundError:
            continue
    return gone
