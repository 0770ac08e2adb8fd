"""Which backups there are, by the portal's record: what upgrades have made, and what lies in the directories of devices."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from django.db.models import QuerySet

from portal.core import clock
from updates.models import Backup, Upgrade, WatchedContainer
from updates.plan import Kind
from updates.recipes.container.backup_files import FoundBackup
from updates.recipes.container.backups import COPIED, PRUNED

LONGEST: Final = Backup._meta.get_field("version").max_length or 0
LONGEST_ERROR: Final = Backup._meta.get_field("error").max_length or 0


def record_backups(finished: Upgrade) -> None:
    """What the upgrade has written is on record, and what it deleted is known to be gone: see `settings.UPGRADE_FINISHED`."""
    if finished.kind != Kind.CONTAINER or finished.instance is None:
        return
    watched = WatchedContainer.objects.get(instance=finished.instance)
    facts = finished.facts
    installed = finished.plan.get("installed") or {}  # the watchdog may have refused to make a plan
    for word in COPIED:
        if written := facts.get(word):
            Backup.objects.create(
                watched=watched,
                upgrade=finished,
                version=str(installed.get("version", ""))[:LONGEST],
                reason=finished.reason,
                requested_by_name=finished.requested_by_name,
                created_at=clock.now(),
                **columns(written),
            )
    note_gone(watched, facts.get(PRUNED) or [])


def columns(written: dict[str, Any]) -> dict[str, Any]:
    """What a row holds of what was written down of a copy."""
    return {
        "path": written["path"],
        "size": written["size"],
        "sha256": written["sha256"],
        "is_live": written["is_live"],
        "taken_at": datetime.fromisoformat(written["taken_at"]),
    }


def note_gone(watched: WatchedContainer, paths: Collection[str]) -> None:
    """The files at these paths are there no more."""
    there(watched).filter(path__in=paths).update(deleted_at=clock.now())


def there(watched: WatchedContainer) -> QuerySet[Backup]:
    """Those whose files are on the device, by the portal's record; the newest first."""
    found = Backup.objects.filter(watched=watched, taken_at__isnull=False, deleted_at=None)
    return found.order_by("-taken_at", "-pk")


def note_found(watched: WatchedContainer, found: Sequence[FoundBackup]) -> None:
    """The record is as the directory: what a person has put there has a row, what is gone is known to be."""
    ours = [file for file in found if _may_be_of(file, watched)]
    known = set(there(watched).values_list("path", flat=True))
    for file in ours:
        if file.path not in known:
            _note_new(watched, file)
    here = f"{watched.backup_dir.rstrip('/')}/"
    paths = {file.path for file in ours}
    gone = {path for path in known - paths if path.rpartition("/")[0] + "/" == here}
    note_gone(watched, gone)


def _may_be_of(file: FoundBackup, watched: WatchedContainer) -> bool:
    return file.manifest is None or file.manifest.instance == watched.instance.name


def _note_new(watched: WatchedContainer, file: FoundBackup) -> None:
    says = file.manifest
    modified = datetime.fromtimestamp(file.modified, UTC)
    Backup.objects.create(
        watched=watched,
        path=file.path,
        size=file.size,
        sha256=file.sha256,
        version=says.version[:LONGEST] if says else "",
        is_live=says.is_live if says else False,
        taken_at=datetime.fromisoformat(says.taken_at) if says else modified,
        created_at=clock.now(),
    )
