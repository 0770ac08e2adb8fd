"""Names of an engine's things, checked before they become part of an address or of a request."""

from __future__ import annotations

import re

from devices.errors import UnsafeName

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{1,254}", re.ASCII)


def checked_name(name: str, of: str) -> str:
    """The name; `UnsafeName` when it cannot be that `of` such a thing: a volume, a container, a network."""
    if not _NAME.fullmatch(name):
        raise UnsafeName(f"{name[:160]!r} cannot be the name of a {of}.")
    return name
