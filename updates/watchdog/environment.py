"""What the watchdog's container is told by its environment."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from devices.drivers.references import parse_reference
from devices.errors import BadReference

SOCKET: Final = "/var/run/docker.sock"
REGISTRY_LOGINS: Final = "/registry-logins.json"
OWN_DIR: Final = "/watchdog"
LIMIT_SECONDS: Final = 1800.0
WRITABLE_BY_OTHERS: Final = 0o022


@dataclass(frozen=True, slots=True)
class Environment:
    """The seed's variables. `trouble` is a sentence when they cannot be: then nothing is upgraded, and everybody is told why."""

    data_dir: Path
    own_dir: Path | None
    check_interval: float
    limit_seconds: float
    container_name: str
    image_name: str
    project_name: str
    project_dir: str
    socket: str
    registry_logins: Path
    version: str
    trouble: str

    @classmethod
    def read(cls, variables: Mapping[str, str]) -> Self:
        """As the variables say."""
        interval, trouble = _interval(variables.get("CHECK_INTERVAL", "5"))
        data, own = (
            Path(variables.get("DATA_DIR", "/data")),
            Path(variables.get("WATCHDOG_DIR", OWN_DIR)),
        )
        not_own = _own_trouble(own, data)
        image = variables.get("IMAGE_NAME", "")
        container = variables.get("CONTAINER_NAME", "")
        return cls(
            data_dir=data,
            own_dir=None if not_own else own,
            check_interval=interval,
            limit_seconds=_limit(variables.get("PORTAL_UPGRADE_LIMIT_SECONDS", "")),
            container_name=container,
            image_name=image,
            project_name=variables.get("COMPOSE_PROJECT_NAME", ""),
            project_dir=variables.get("COMPOSE_PROJECT_DIR", ""),
            socket=variables.get("DOCKER_SOCKET", SOCKET),
            registry_logins=Path(REGISTRY_LOGINS),
            version=variables.get("FLEETWRIGHT_VERSION", ""),
            trouble=trouble or _name_trouble(container) or _image_trouble(image) or not_own,
        )


def _interval(text: str) -> tuple[float, str]:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if 0.1 <= seconds <= 3600:
        return seconds, ""
    return 5.0, f"CHECK_INTERVAL is a number of seconds from 0.1 to 3600, not {text[:40]!r}."


def _limit(text: str) -> float:
    """As the portal's own setting of that name, whose check says what is wrong with it."""
    return float(text) if text.isdecimal() and int(text) else LIMIT_SECONDS


def _own_trouble(own: Path, data: Path) -> str:
    """What the watchdog carries out as root may not lie where anybody else could put it."""
    try:
        found = own.stat(follow_symlinks=False)
        is_own = (
            stat.S_ISDIR(found.st_mode)
            and found.st_uid == os.geteuid()
            and not found.st_mode & WRITABLE_BY_OTHERS
            and os.access(own, os.W_OK)
            and not own.resolve().is_relative_to(data.resolve())
        )
    except OSError:
        is_own = False
    if is_own:
        return ""
    return (
        f"The watchdog has no volume of its own at {own}, where nobody else can write: an older compose.upgrade.yaml starts it. "
        "Take the one of this version, and start the portal with it once more."
    )


def _name_trouble(container: str) -> str:
    return (
        "" if container else "CONTAINER_NAME does not say which container the portal's web part is."
    )


def _image_trouble(image: str) -> str:
    if not image:
        return "IMAGE_NAME does not say which image the portal is made from."
    try:
        reference = parse_reference(image)
    except BadReference as error:
        return f"IMAGE_NAME cannot be: {error}"
    if reference.tag or reference.digest:
        return (
            f"IMAGE_NAME is {image}, but must be the name alone, without a tag or digest: "
            "the version comes with each upgrade."
        )
    return ""
