"""`manage.py backup VERB`."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Final

from django.core.management.base import CommandError

from portal.cli import find
from portal.cli.limit import limit_argument, shown
from portal.cli.reason import reason_argument
from portal.cli.verb import Call, Verb
from updates.api.backups import BackupSerializer
from updates.api.upgrades import UpgradeSerializer
from updates.models import Backup, WatchedContainer
from updates.services.backups import (
    back_up_now,
    delete_backup,
    look_for_backups,
    restore_backup,
)

HEAD: Final = ("ID", "CONTAINER", "BACKUP", "TAKEN", "BYTES", "VERSION", "NOW")


def _list_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("instance", nargs="?", help="the watched container's name; all unless told")
    parser.add_argument("--all", action="store_true", help="those that are deleted, too")
    limit_argument(parser)


def _list(call: Call) -> None:
    call.actor.require("updates.view_backup")
    rows = Backup.objects.select_related("watched__instance__device")
    if call.words["instance"]:
        rows = rows.filter(watched=_watched(call.words["instance"]))
    if not call.words["all"]:
        rows = rows.filter(deleted_at=None)
    found = shown(rows, call)
    if call.out.as_json:
        call.out.document(BackupSerializer(found, many=True).data)
        return
    call.out.table(
        HEAD,
        (
            (
                row.pk, row.watched, row.path or "-", row.taken_at or "-", row.size or "-",
                row.version or "-", _now(row),
            )
            for row in found
        ),
    )  # fmt: skip


def _instance_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("instance", help="the watched container's name")


def _now_arguments(parser: ArgumentParser) -> None:
    _instance_arguments(parser)
    reason_argument(parser)


def _make(call: Call) -> None:
    watched = _watched(call.words["instance"])
    backup = back_up_now(watched=watched, actor=call.actor, reason=call.words["reason"])
    _tell(call, backup, says=f"Backup {backup.pk} of {watched} is on its way.")


def _look(call: Call) -> None:
    watched = _watched(call.words["instance"])
    look_for_backups(watched=watched, actor=call.actor)
    call.out.text(f"{watched.backup_dir} is being looked at.")


def _backup_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("backup", type=int, metavar="ID", help="as `backup list` shows it")
    reason_argument(parser)


def _restore(call: Call) -> None:
    backup = find.backup(call.words["backup"])
    upgrade = restore_backup(backup=backup, actor=call.actor, reason=call.words["reason"])
    if call.out.as_json:
        call.out.document(UpgradeSerializer(upgrade).data)
        return
    call.out.text(f"{upgrade.pk} puts {backup} back.")


def _delete(call: Call) -> None:
    found = find.backup(call.words["backup"])
    backup = delete_backup(backup=found, actor=call.actor, reason=call.words["reason"])
    _tell(call, backup, says=f"{backup} is being deleted.")


def _tell(call: Call, backup: Backup, *, says: str) -> None:
    if call.out.as_json:
        call.out.document(BackupSerializer(backup).data)
        return
    call.out.text(says)


def _now(row: Backup) -> str:
    if row.is_waiting:
        return "is being made"
    if row.deleted_at is not None:
        return "deleted"
    return row.error or ("there" if row.delete_requested_at is None else "is being deleted")


def _watched(name: str) -> WatchedContainer:
    rows = WatchedContainer.objects.select_related("instance__device")
    row = rows.filter(instance__name=name).first()
    if row is None:
        raise CommandError(f"No container is watched as {name!r}.")
    return row


VERBS: Final[Mapping[str, Verb]] = {
    "list": Verb("which there are, by the portal's record", _list_arguments, _list),
    "now": Verb("copy the data while the containers run", _now_arguments, _make),
    "look": Verb("look what lies in the directory on the device", _instance_arguments, _look),
    "restore": Verb("put the data of one back, by an upgrade", _backup_arguments, _restore),
    "delete": Verb("delete one on its device", _backup_arguments, _delete),
}
