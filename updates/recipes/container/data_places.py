"""Where containers keep data: volumes, by their names, and folders of the device, by their absolute paths.

A folder is taken for data if a container may write to it and it is nobody else's: not the kernel's, the engine's or a program's,
and none in which the device keeps all kinds of things.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from pathlib import PurePosixPath
from typing import Final

from devices.drivers.engine_containers import Mount

UNNAMED: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
"""What an engine calls a volume that nobody has named."""
_SHORT_ID: Final = 12
# With all below them.
_NO_FILES: Final = ("/dev", "/proc", "/run", "/sys", "/var/run")
_OF_SYSTEM: Final = (
    *_NO_FILES, "/bin", "/boot", "/lib", "/lib32", "/lib64", "/sbin", "/var/lib/containerd", "/var/lib/docker",
)  # fmt: skip
# By themselves alone.
_SHARED: Final = (
    "/", "/etc", "/home", "/media", "/mnt", "/opt", "/root", "/srv", "/tmp", "/usr", "/usr/lib", "/usr/local", "/usr/share",  # noqa: S108 - not written to
    "/var", "/var/cache", "/var/lib", "/var/log",
)  # fmt: skip
_CLOCK: Final = ("/etc/localtime", "/etc/timezone")


def is_folder(name: str) -> bool:
    """Whether it is a path on the device, and not the name of a volume."""
    return name.startswith("/")


def why_no_data(path: str) -> str:
    """Why that folder of the device is not backed up whatever anybody says; empty if it can be."""
    if path in _SHARED:
        return f"{path} holds more than the data of some containers: name a folder below it."
    if any(_is_within(path, one) for one in _OF_SYSTEM):
        return f"{path} is the system's own, and no data of containers."
    return ""


def folders_of_data(paths: Iterable[str]) -> list[str]:
    """Those of these folders that are data, none of them below another one."""
    found: list[str] = []
    for path in sorted(set(paths)):
        if not why_no_data(path) and not is_held(path, found):
            found.append(path)
    return found


def is_held(name: str, volumes: Collection[str]) -> bool:
    """Whether a backup of `volumes` holds that volume, or that folder."""
    if not is_folder(name):
        return name in volumes
    return any(is_folder(one) and _is_within(name, one) for one in volumes)


def not_held(written: Iterable[str], volumes: Collection[str]) -> list[str]:
    """Those of the volumes and paths that containers write to whose contents no backup of `volumes` holds."""
    return [
        name
        for name in sorted(set(written))
        if name not in _CLOCK
        and not is_held(name, volumes)
        and not any(_is_within(name, one) for one in _NO_FILES)
    ]


def written_to(mounts: Iterable[Mount]) -> list[str]:
    """The volumes and the paths on the device that a container with these mounts may write to."""
    kinds = ("volume", "bind")
    return [one.volume or one.source for one in mounts if one.writable and one.kind in kinds]


def called(name: str) -> str:
    """What people are told of it."""
    if is_folder(name):
        return name
    return f"unnamed volume {name[:_SHORT_ID]}" if UNNAMED.fullmatch(name) else f"volume {name}"


def all_called(names: Iterable[str]) -> str:
    """The same of several, in a row."""
    return ", ".join(called(name) for name in names)


def _is_within(path: str, folder: str) -> bool:
    return PurePosixPath(path).is_relative_to(folder)
