"""`manage.py container VERB`: containers that the portal looks after."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any, Final

from django.core.management.base import CommandError

from portal.cli import find
from portal.cli.limit import limit_argument, shown
from portal.cli.reason import reason_argument
from portal.cli.upgrade import tell_new, wait_argument
from portal.cli.verb import Call, Verb
from updates.api.watched import PreflightSerializer, WatchedSerializer
from updates.models import ContainerCheck, WatchedContainer
from updates.services.container_checks import carry_out_preflight, request_preflight
from updates.services.container_desk import LATEST, order_upgrade
from updates.services.version_checks import (
    carry_out_version_check,
    offer_version,
    request_version_check,
    skip_version,
    snooze,
)
from updates.services.watching import NewWatch, unwatch, watch

HEAD: Final = ("CONTAINER", "DEVICE", "VERSION", "NEWEST", "ANSWERED", "ERROR")
REFUSED: Final = 2


def _name_argument(parser: ArgumentParser) -> None:
    parser.add_argument("container", metavar="NAME", help="as `container list` has it")


def _version_option(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--version", dest="wanted", default=LATEST, metavar="TAG",
        help="the newest that is known, unless told",
    )  # fmt: skip


def _list(call: Call) -> None:
    call.actor.require("updates.view_watchedcontainer")
    watched = WatchedContainer.objects.filter(unwatched_at=None)
    rows = shown(watched.select_related("instance__device", "instance__module"), call)
    if call.out.as_json:
        call.out.document(WatchedSerializer(rows, many=True).data)
        return
    call.out.table(
        HEAD,
        (
            (
                row.instance.name, row.instance.device.name, row.instance.version, row.newest or "-",
                row.answered_at or "never", row.error or "-",
            )
            for row in rows
        ),
    )  # fmt: skip


def _watch_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("device", help="the device's name; its engine was asked before")
    parser.add_argument(
        "container", nargs="+", help="names on the engine, in the order in which they stop"
    )
    parser.add_argument("--image", default="", help="as it was seen, unless told")
    parser.add_argument("--name", default="", help="the first container's, unless told")
    reason_argument(parser)


def _watch(call: Call) -> None:
    words = call.words
    new = NewWatch(
        device=find.device(words["device"]), containers=words["container"], image=words["image"],
        name=words["name"],
    )  # fmt: skip
    _tell(call, watch(new, actor=call.actor, reason=words["reason"]), says="is watched.")


def _unwatch_arguments(parser: ArgumentParser) -> None:
    _name_argument(parser)
    reason_argument(parser)


def _unwatch(call: Call) -> None:
    watched = find.watched(call.words["container"])
    unwatch(watched=watched, actor=call.actor, reason=call.words["reason"])
    _tell(call, watched, says="is watched no longer.")


def _upgrade_arguments(parser: ArgumentParser) -> None:
    _unwatch_arguments(parser)
    _version_option(parser)
    parser.add_argument(
        "--no-backup", action="store_true",
        help="not recommended: changed data stays changed if the new version fails",
    )  # fmt: skip
    parser.add_argument("--force", action="store_true", help="also if it is what runs already")
    wait_argument(parser)


def _upgrade(call: Call) -> None:
    words = call.words
    upgrade = order_upgrade(
        watched=find.watched(words["container"]), version=words["wanted"], force=words["force"],
        backup=not words["no_backup"], actor=call.actor, reason=words["reason"],
    )  # fmt: skip
    tell_new(upgrade, call=call)


def _preflight_arguments(parser: ArgumentParser) -> None:
    _name_argument(parser)
    _version_option(parser)


def _preflight(call: Call) -> None:
    """Here and now: who types it waits for it."""
    watched = find.watched(call.words["container"])
    check = request_preflight(watched=watched, version=call.words["wanted"], actor=call.actor)
    check = carry_out_preflight(check)
    if call.out.as_json:
        call.out.document(PreflightSerializer(check).data)
    else:
        for finding in check.findings:
            call.out.text(f"{_word(finding)} {finding['says']}")
    if check.verdict != ContainerCheck.Verdict.COMPATIBLE:
        raise CommandError(f"{check.image}: {check.get_verdict_display()}.", returncode=REFUSED)


def _word(finding: Mapping[str, Any]) -> str:
    if finding.get("warns"):
        return "BUT"
    return "ok " if finding["ok"] else "NO "


def _check(call: Call) -> None:
    """Here and now, likewise."""
    watched = find.watched(call.words["container"])
    request_version_check(watched=watched, actor=call.actor)
    if error := carry_out_version_check(watched):
        raise CommandError(error)
    watched.refresh_from_db()
    _tell(call, watched, says=f"runs {watched.instance.version}; the newest is {watched.newest}.")


def _skip_arguments(parser: ArgumentParser) -> None:
    _name_argument(parser)
    parser.add_argument("version")


def _skip(call: Call) -> None:
    watched, version = find.watched(call.words["container"]), call.words["version"]
    skip_version(watched=watched, version=version, actor=call.actor)
    _tell(call, watched, says=f"is not offered {version} any more.")


def _offer(call: Call) -> None:
    watched, version = find.watched(call.words["container"]), call.words["version"]
    offer_version(watched=watched, version=version, actor=call.actor)
    _tell(call, watched, says=f"is offered {version} again.")


def _snooze_arguments(parser: ArgumentParser) -> None:
    _name_argument(parser)
    parser.add_argument("--days", type=int, default=7, help="0: no longer")


def _snooze(call: Call) -> None:
    watched, days = find.watched(call.words["container"]), call.words["days"]
    snooze(watched=watched, days=days, actor=call.actor)
    _tell(call, watched, says=f"says nothing for {days} days.")


def _tell(call: Call, watched: WatchedContainer, *, says: str) -> None:
    if call.out.as_json:
        call.out.document(WatchedSerializer(find.watched(str(watched))).data)
    else:
        call.out.text(f"{watched} {says}")


VERBS: Final[Mapping[str, Verb]] = {
    "list": Verb("list what is watched, and what is newest", limit_argument, _list),
    "watch": Verb("look after containers of an engine", _watch_arguments, _watch),
    "unwatch": Verb("look after it no longer", _unwatch_arguments, _unwatch),
    "upgrade": Verb("upgrade to a version, or downgrade", _upgrade_arguments, _upgrade),
    "preflight": Verb(
        "say what an upgrade would find; status 2: it would not be done",
        _preflight_arguments,
        _preflight,
    ),
    "check": Verb("ask its registry for newer versions", _name_argument, _check),
    "skip": Verb("do not offer a version", _skip_arguments, _skip),
    "offer": Verb("offer a skipped version again", _skip_arguments, _offer),
    "snooze": Verb("tell nobody of newer versions for a while", _snooze_arguments, _snooze),
}
