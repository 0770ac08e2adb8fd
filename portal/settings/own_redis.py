"""Where the portal's own Redis listens, when REDIS_URL is not set."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

LONGEST_SOCKET_PATH_BYTES = 107
"""What the kernel takes as the path of a Unix socket (sockaddr_un has 108 bytes, one of them for the end)."""


PATIENCE = "socket_connect_timeout=2&socket_timeout=3"
"""Seconds after which a Redis that hangs counts as one that is away. Workers wait longer by themselves."""


def impatient(url: str) -> str:
    """The same Redis, not waited for without end; what the URL says about that itself holds."""
    if "socket_timeout=" in url:
        return url
    return f"{url}{'&' if '?' in url else '?'}{PATIENCE}"


def own_socket(var: Path) -> Path:
    """The socket in `var`; where that path would be too long, one below /tmp, the same each time."""
    path = var / "redis" / "redis.sock"
    if len(os.fsencode(path)) <= LONGEST_SOCKET_PATH_BYTES:
        return path
    name = hashlib.sha256(os.fsencode(var)).hexdigest()[:16]
    # Not TMPDIR: that may differ between the processes that have to meet there. Who starts Redis checks whose folder it is.
    return Path("/tmp") / f"fwredis-{os.geteuid()}-{name}" / "redis.sock"  # noqa: S108
