"""`manage.py patch VERB`."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from django.core.files.base import File
from django.core.management.base import CommandError

from devices.drivers.nodes import Status
from patches.api.patches import PatchCheckDetailSerializer, PatchSerializer
from patches.models import Application, Patch, PatchCheck
from patches.queries import instances_for
from patches.services.applicable import facts_of, why_not_applicable
from patches.services.patch_checks import request_patch_checks
from patches.services.patch_orders import apply_patch, revert_patch
from patches.services.patches import delete_patch, upload_patch
from portal.cli import find
from portal.cli.find import short
from portal.cli.limit import limit_argument, shown
from portal.cli.output import Output
from portal.cli.reason import reason_argument
from portal.cli.upgrade import tell_new, wait_argument
from portal.cli.verb import Call, Verb
from updates.models import Instance

LOOK_SECONDS: Final = 0.5
MOST_INSTANCES: Final = 200


def _patch_argument(parser: ArgumentParser) -> None:
    parser.add_argument("patch", help="the beginning of its id, or its name")


def _upload_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("file", type=Path, help="a zip archive")
    parser.add_argument("--module", required=True, metavar="NAME")
    parser.add_argument("--version", required=True, help="the one that it was built for")
    parser.add_argument("--name", default="", help="the file's name, unless told")
    parser.add_argument("--notes", default="")


def _list_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--module", metavar="NAME")
    parser.add_argument("--version")
    limit_argument(parser)


def _check_arguments(parser: ArgumentParser) -> None:
    _patch_argument(parser)
    parser.add_argument(
        "--instance", action="append", default=[], metavar="NAME",
        help="again for more; all of the patch's version, if none is named",
    )  # fmt: skip
    parser.add_argument(
        "--wait", action="store_true",
        help="until every node has answered; status 1 unless it can be applied to all of them",
    )  # fmt: skip


def _on_instance(parser: ArgumentParser) -> None:
    _patch_argument(parser)
    parser.add_argument("instance", help="its name")
    reason_argument(parser)
    wait_argument(parser)


def _apply_arguments(parser: ArgumentParser) -> None:
    _on_instance(parser)
    parser.add_argument(
        "--override",
        action="store_true",
        help="leave out on each node what the check refuses there",
    )


def _delete_arguments(parser: ArgumentParser) -> None:
    _patch_argument(parser)
    reason_argument(parser)


def _upload(call: Call) -> None:
    words = call.words
    path: Path = words["file"]
    try:
        with path.open("rb") as content:
            patch = upload_patch(
                file=File(content, name=path.name), module=find.module(words["module"]),
                version=words["version"], actor=call.actor, name=words["name"], notes=words["notes"],
            )  # fmt: skip
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}.") from None
    tell(patch, out=call.out)


def _list(call: Call) -> None:
    call.actor.require("patches.view_patch")
    found, words = Patch.objects.select_related("module"), call.words
    if words["module"]:
        found = found.filter(module=find.module(words["module"]))
    if words["version"]:
        found = found.filter(version=words["version"])
    rows = shown(found, call)
    if call.out.as_json:
        call.out.document(PatchSerializer(rows, many=True).data)
        return
    call.out.table(
        ("ID", "NAME", "MODULE", "VERSION", "FILES", "UPLOADED", "BY", "ARCHIVE"),
        (
            (
                short(row), row.name, row.module, row.version, len(row.composition), row.uploaded_at,
                row.uploaded_by_name, "deleted" if row.deleted_at else "",
            )
            for row in rows
        ),
    )  # fmt: skip


def _show(call: Call) -> None:
    call.actor.require("patches.view_patch")
    tell(find.patch(call.words["patch"]), out=call.out)


def _check(call: Call) -> None:
    patch = find.patch(call.words["patch"])
    named = [find.instance(name) for name in call.words["instance"]]
    chosen = named or _of_version(patch)
    checks = request_patch_checks(patch=patch, instances=chosen, actor=call.actor)
    if call.words["wait"]:
        for check in checks:
            while check.checked_at is None:
                time.sleep(LOOK_SECONDS)
                check.refresh_from_db()
    if call.out.as_json:
        call.out.document(PatchCheckDetailSerializer(checks, many=True).data)
    else:
        for check in checks:
            _tell_check(check, out=call.out)
    if call.words["wait"]:
        _refuse_inapplicable(patch, [check.instance for check in checks])


def _of_version(patch: Patch) -> list[Instance]:
    found = instances_for(patch).filter(version=patch.version, nodes__isnull=False)
    return list(found.distinct()[:MOST_INSTANCES])


def _refuse_inapplicable(patch: Patch, instances: list[Instance]) -> None:
    refusals = [
        f"{facts.instance}: {why}"
        for facts in facts_of(patch, instances)
        if facts.in_force is None and (why := why_not_applicable(patch, facts))
    ]
    if refusals:
        raise CommandError(" ".join(refusals))


def _apply(call: Call) -> None:
    upgrade = apply_patch(
        patch=find.patch(call.words["patch"]), instance=find.instance(call.words["instance"]),
        actor=call.actor, reason=call.words["reason"], override=call.words["override"],
    )  # fmt: skip
    tell_new(upgrade, call=call)


def _revert(call: Call) -> None:
    upgrade = revert_patch(
        patch=find.patch(call.words["patch"]), instance=find.instance(call.words["instance"]),
        actor=call.actor, reason=call.words["reason"],
    )  # fmt: skip
    tell_new(upgrade, call=call)


def _delete(call: Call) -> None:
    patch = delete_patch(
        patch=find.patch(call.words["patch"]), actor=call.actor, reason=call.words["reason"]
    )
    tell(patch, out=call.out)


def tell(patch: Patch, *, out: Output) -> None:
    """The patch: what it is made of, where it was checked, where it is in force."""
    if out.as_json:
        out.document(PatchSerializer(patch).data)
        return
    active = Application.objects.filter(patch=patch, standing=Application.Standing.ACTIVE)
    out.facts(
        (
            ("id", patch.pk),
            ("name", patch.name),
            ("module", patch.module),
            ("version", patch.version),
            ("files", "\n".join(_file(patch, row) for row in patch.composition)),
            ("in force on", [str(row.instance) for row in active.select_related("instance")[:50]]),
            ("checked", "\n".join(map(_checked, patch.checks.select_related("instance")[:50]))),
            ("uploaded", f"{patch.uploaded_at:%Y-%m-%d %H:%M} by {patch.uploaded_by_name}"),
            ("archive", f"deleted by {patch.deleted_by_name}" if patch.deleted_at else ""),
            ("notes", patch.notes),
        )
    )


def _file(patch: Patch, row: dict[str, Any]) -> str:
    if not row["is_code"]:
        return f"{row['path']}  assembly"
    known = (patch.known_to or {}).get(row["path"])
    said = "" if known is None else f"  known to {len(known)} nodes"
    return f"{row['path']}  {row['name']} {row['version'][:12]}{said}"


def _checked(check: PatchCheck) -> str:
    return f"{check.instance}: {_status(check.integral) if check.checked_at else 'on its way'}"


def _tell_check(check: PatchCheck, *, out: Output) -> None:
    out.text(_checked(check))
    if check.refusal:
        out.text(f"  {check.refusal}")
    for result in check.results.defer("files").order_by("status", "node_name"):
        out.text(f"  {result.node_name}: {_status(result.status)} {result.detail}".rstrip())


def _status(code: int | None) -> str:
    return "no module" if code is None else f"{Status(code).name.lower()} ({code})"


VERBS: Final[Mapping[str, Verb]] = {
    "upload": Verb("upload an archive for one version of a module", _upload_arguments, _upload),
    "list": Verb("list patches, newest first", _list_arguments, _list),
    "show": Verb("show what a patch is made of, and where it is", _patch_argument, _show),
    "check": Verb("ask the nodes of instances what would become of it", _check_arguments, _check),
    "apply": Verb("load it into the nodes of an instance, without a restart", _apply_arguments, _apply),
    "revert": Verb("give the nodes of an instance back what they had before", _on_instance, _revert),
    "delete": Verb("delete the archive; history and way back stay", _delete_arguments, _delete),
}  # fmt: skip
