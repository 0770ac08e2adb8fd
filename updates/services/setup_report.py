"""What the portal's own upgrade needs, item by item. Looking has no effect: nothing is written to try it out."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from updates.services.deployment_method import WHY_NOT, Method, detect_method
from updates.services.portal_state import folder, watchdog_status

MIB = 2**20


@dataclass(frozen=True, slots=True)
class Item:
    """`message` is a sentence, `details` what it was read from."""

    check: str
    passed: bool
    message: str
    details: str = ""


def setup_report() -> list[Item]:
    """All that is needed, whether it is there or not."""
    return list(_items())


def why_not_set_up() -> str:
    """Empty when the portal can be told to upgrade itself, else the sentence why not."""
    method = detect_method(os.environ)
    if not settings.AUTO_UPGRADE_ENABLED and method in WHY_NOT:
        return WHY_NOT[method]
    return watchdog_status().says


def _items() -> Iterator[Item]:
    is_on = settings.AUTO_UPGRADE_ENABLED
    says = "AUTO_UPGRADE_ENABLED is set." if is_on else "AUTO_UPGRADE_ENABLED is not true."
    yield Item("Environment Variable", is_on, says)
    method = detect_method(os.environ)
    is_docker = method is Method.DOCKER
    says = "The portal runs in Docker." if is_docker else WHY_NOT[method]
    yield Item("Deployment Method", is_docker, says, details=method.value)
    yield _folder("Data Directory", settings.DATA_DIR)
    yield _folder("Backup Directory", folder().backups)
    status = watchdog_status()
    seen = status.heartbeat.seen_at.isoformat() if status.heartbeat else ""
    yield Item("Upgrader Sidecar", status.is_alive, _alive(status.says), details=seen)
    trouble = status.heartbeat.trouble if status.heartbeat else ""
    reaches = status.is_alive and not trouble
    says = trouble or ("The watchdog is ready." if reaches else "The watchdog does not answer.")
    yield Item("Docker Socket Permissions", reaches, says)
    yield _space()


def _alive(says: str) -> str:
    return says or "The watchdog lives."


def _folder(check: str, path: Path) -> Item:
    """There and writable, or below a folder in which it can be made."""
    there = path if path.exists() else path.parent
    is_good = there.is_dir() and os.access(there, os.W_OK | os.X_OK)
    says = f"{path} can be written to." if is_good else f"{path} cannot be written to."
    return Item(check, is_good, says, details=str(path))


def _space() -> Item:
    needed: int = settings.CONTAINER_MIN_FREE_BYTES
    try:
        free = shutil.disk_usage(settings.DATA_DIR).free
    except OSError:
        return Item("Disk Space", passed=False, message=f"{settings.DATA_DIR} cannot be read.")
    says = f"{free // MIB} MiB are free, {needed // MIB} MiB are needed."
    return Item("Disk Space", free >= needed, says, details=str(settings.DATA_DIR))
