"""What copies have left that came to no end: those of a backup that failed, or of an upgrade that was ended by force."""

from __future__ import annotations

import shutil
from typing import Final

import structlog

from updates.watchdog.backup_order import read_backup_order
from updates.watchdog.folder import Folder
from updates.watchdog.record import unfinished

log = structlog.get_logger(__name__)

PARTS: Final = ".upgrade-backup-*.part"


def clear_leftovers(folder: Folder) -> bool:
    """Whether nothing of a copy is there: not while somebody may go on with one."""
    try:
        order = read_backup_order(folder)
    except ValueError:
        return False
    if unfinished(folder) is not None or (order is not None and not order.is_over):
        return False
    for left in [*folder.stage.glob(PARTS), *folder.backups.glob(PARTS)]:
        log.info("what a copy has left is removed", path=str(left))
        shutil.rmtree(left, ignore_errors=True)
    return True
