"""`manage.py artifact check ARTIFACT`."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Final

from portal.cli import find
from portal.cli.artifact.show import artifact_argument
from portal.cli.choice import choice_arguments, chosen
from portal.cli.verb import Call, Verb
from portal.cli.verdicts import awaited, require_fits, wait_argument, why
from updates.api.checks import CheckSerializer
from updates.models import Check
from updates.services.checks import request_checks


def arguments(parser: ArgumentParser) -> None:
    """Which artifact, which devices, and whether to wait for the verdicts."""
    artifact_argument(parser)
    choice_arguments(parser)
    wait_argument(parser)


def run(call: Call) -> None:
    """The devices are being checked; with --wait: were, and CommandError unless the artifact fits them all."""
    artifact, devices = find.artifact(call.words["artifact"]), chosen(call)
    asked = request_checks(artifact=artifact, devices=devices, actor=call.actor)[0].requested_at
    checks = Check.objects.filter(
        artifact=artifact, device__in=devices.values("pk"), requested_at__gte=asked
    )
    rows = awaited(checks.select_related("device"), call=call)
    if call.out.as_json:
        call.out.document(CheckSerializer(rows, many=True).data)
    else:
        call.out.table(
            ("DEVICE", "VERDICT", "WHY"),
            ((row.device, row.get_verdict_display(), why(row)) for row in rows),
        )
    require_fits(rows, call=call, targets="devices")


VERB: Final = Verb("check an artifact against devices, without changing them", arguments, run)
