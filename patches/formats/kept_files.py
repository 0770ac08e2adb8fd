"""How kept files are written down: gzip of JSON. Pure."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Sequence

from devices.drivers.nodes import Kept


def pack_kept(files: Sequence[Kept]) -> bytes:
    """The files with their data, mode and version; the same bytes for the same files."""
    rows = [
        {
            "path": kept.path,
            "mode": kept.mode,
            "version": kept.version,
            "data": None if kept.data is None else base64.b64encode(kept.data).decode(),
        }
        for kept in files
    ]
    return gzip.compress(json.dumps(rows).encode(), mtime=0)


def unpack_kept(packed: bytes) -> list[Kept]:
    """What `pack_kept` wrote."""
    return [
        Kept(
            path=row["path"],
            mode=row["mode"],
            version=row["version"],
            data=None if row["data"] is None else base64.b64decode(row["data"]),
        )
        for row in json.loads(gzip.decompress(packed))
    ]
