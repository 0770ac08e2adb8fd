"""Stored files as somebody gets to see them."""

from __future__ import annotations

import re
from typing import Final

from portal.core.downloads import StoredFile
from updates.models import Artifact

UNUSUAL: Final = re.compile(r"[^\w.+-]+")
LONGEST: Final = 120


def file_of(artifact: Artifact) -> StoredFile:
    """The artifact's file, called after it and the device types it is for."""
    called = "-".join([artifact.name, *artifact.device_types])[:LONGEST]
    return StoredFile(
        name=str(artifact.file.name),
        called=f"{UNUSUAL.sub('_', called)}.mender",
        size=artifact.size,
        sha256=artifact.sha256,
    )
