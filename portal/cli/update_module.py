"""`manage.py update_module VERB`."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from django.core.files import File
from django.core.management.base import CommandError

from portal.cli import find
from portal.cli.choice import choice_arguments, chosen
from portal.cli.limit import limit_argument, shown
from portal.cli.verb import Call, Verb
from portal.cli.watching import LOOK_SECONDS
from updates.api.update_modules import ModuleCheckSerializer, UpdateModuleSerializer
from updates.models import ModuleCheck, UpdateModule
from updates.services.artifacts import upload_update_module
from updates.services.module_checks import request_module_checks


def _list(call: Call) -> None:
    call.actor.require("updates.view_updatemodule")
    rows = shown(UpdateModule.objects.select_related("uploaded_by"), call)
    if call.out.as_json:
        call.out.document(UpdateModuleSerializer(rows, many=True).data)
        return
    call.out.table(
        ("NAME", "VERSION", "SIZE", "UPLOADED", "NOTES"),
        ((row.name, row.version, row.size, row.uploaded_at, row.notes) for row in rows),
    )


def _upload_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("name", help="the payload type that it handles")
    parser.add_argument("file", type=Path, help="the program")
    parser.add_argument("--notes", default="", help="kept with it")


def _upload(call: Call) -> None:
    path: Path = call.words["file"]
    try:
        with path.open("rb") as file:
            module = upload_update_module(
                name=call.words["name"],
                file=File(file),
                actor=call.actor,
                notes=call.words["notes"],
            )
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}.") from None
    if call.out.as_json:
        call.out.document(UpdateModuleSerializer(module).data)
    else:
        call.out.text(f"{module} is the one that upgrades will use.")


def _check_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("name", help="its newest version, unless --version says another")
    parser.add_argument("--version", type=int, metavar="NUMBER", dest="module_version")
    choice_arguments(parser)
    parser.add_argument("--wait", action="store_true", help="until every device was looked at")


def _check(call: Call) -> None:
    """The devices are being looked at; with --wait: were, and CommandError unless it works on them all."""
    module = find.update_module(call.words["name"], version=call.words["module_version"])
    devices = chosen(call)
    asked = request_module_checks(module=module, devices=devices, actor=call.actor)[0].requested_at
    checks = ModuleCheck.objects.filter(
        module=module, device__in=devices.values("pk"), requested_at__gte=asked
    )
    while call.words["wait"] and checks.filter(verdict=ModuleCheck.Verdict.WAITING).exists():
        time.sleep(LOOK_SECONDS)
    rows = list(checks.select_related("device"))
    if call.out.as_json:
        call.out.document(ModuleCheckSerializer(rows, many=True).data)
    else:
        call.out.table(
            ("DEVICE", "VERDICT", "WHY"),
            ((row.device, row.get_verdict_display(), _why(row)) for row in rows),
        )
    misfits = sum(row.verdict != ModuleCheck.Verdict.COMPATIBLE for row in rows)
    if call.words["wait"] and misfits:
        raise CommandError(f"It does not work on {misfits} of {len(rows)} devices.")


def _why(check: ModuleCheck) -> str:
    return " ".join(finding["says"] for finding in check.findings if not finding["ok"])


VERBS: Final[Mapping[str, Verb]] = {
    "list": Verb("list Update Modules by name, newest version first", limit_argument, _list),
    "upload": Verb(
        "keep a program as an Update Module's newest version", _upload_arguments, _upload
    ),
    "check": Verb("look whether it would work on devices", _check_arguments, _check),
}
