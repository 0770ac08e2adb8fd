"""`manage.py artifact check ARTIFACT`."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from typing import Final

from django.core.management.base import CommandError

from portal.cli import find
from portal.cli.artifact.show import artifact_argument
from portal.cli.choice import choice_arguments, chosen
from portal.cli.verb import Call, Verb
from portal.cli.watching import LOOK_SECONDS
from updates.api.checks import CheckSerializer
from updates.models import Check
from updates.services.checks import request_checks

FITS: Final = (Check.Verdict.COMPATIBLE, Check.Verdict.UNCHANGED)


def arguments(parser: ArgumentParser) -> None:
    """Which artifact, which devices, and whether to wait for the verdicts."""
    artifact_argument(parser)
    choice_arguments(parser)
    parser.add_argument("--wait", action="store_true", help="until every verdict is in")


def run(call: Call) -> None:
    """The devices are being checked; with --wait: were, and CommandError unless the artifact fits them all."""
    artifact, devices = find.artifact(call.words["artifact"]), chosen(call)
    asked = request_checks(artifact=artifact, devices=devices, actor=call.actor)[0].requested_at
    checks = Check.objects.filter(
        artifact=artifact, device__in=devices.values("pk"), requested_at__gte=asked
    )
    while call.words["wait"] and checks.filter(verdict=Check.Verdict.WAITING).exists():
        time.sleep(LOOK_SECONDS)
    rows = list(checks.select_related("device"))
    if call.out.as_json:
        call.out.document(CheckSerializer(rows, many=True).data)
    else:
        call.out.table(
            ("DEVICE", "VERDICT", "WHY"),
            ((row.device, row.get_verdict_display(), _why(row)) for row in rows),
        )
    misfits = sum(row.verdict not in FITS for row in rows)
    if call.words["wait"] and misfits:
        raise CommandError(f"It does not fit {misfits} of {len(rows)} devices.")


def _why(check: Check) -> str:
    return " ".join(finding["says"] for finding in check.findings if not finding["ok"])


VERB: Final = Verb("check an artifact against devices, without changing them", arguments, run)
