"""Which container this process runs in."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from devices.drivers.engine import Engine
from devices.drivers.engine_containers import ContainerDetails

MOUNTS: Final = Path("/proc/self/mountinfo")
_PLACE: Final = re.compile(r"/containers/([0-9a-f]{64})/(?:hostname|hosts|resolv\.conf) ", re.ASCII)


def own_container(engine: Engine) -> ContainerDetails | None:
    """The container; None where the engine has none that this process is in.

    Docker mounts files of the container's own folder into it, whatever its host name and its networks are.
    """
    found = _PLACE.search(MOUNTS.read_text()) if MOUNTS.exists() else None
    if found is None:
        return None
    for one in engine.containers.all(running_only=True):
        if one.id == found.group(1):
            return engine.containers.named(one.name)
    return None
