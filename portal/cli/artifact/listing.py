"""`manage.py artifact list`."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Final

from portal.cli.find import short
from portal.cli.limit import limit_argument, shown
from portal.cli.verb import Call, Verb
from updates.api.artifacts import ArtifactSerializer
from updates.models import Artifact


def arguments(parser: ArgumentParser) -> None:
    """What to look for."""
    parser.add_argument("--name", help="only those of this name")
    parser.add_argument("--type", dest="payload_type", help="only those of this payload type")
    limit_argument(parser)


def run(call: Call) -> None:
    """The artifacts are listed, newest first."""
    call.actor.require("updates.view_artifact")
    wanted = {field: call.words[field] for field in ("name", "payload_type") if call.words[field]}
    rows = shown(Artifact.objects.filter(**wanted).select_related("uploaded_by"), call)
    if call.out.as_json:
        call.out.document(ArtifactSerializer(rows, many=True).data)
        return
    call.out.table(
        ("ID", "NAME", "TYPE", "DEVICE TYPES", "BYTES", "SIGNED", "UPLOADED"),
        (
            (
                short(row),
                row.name,
                row.payload_type,
                row.device_types,
                row.size,
                row.is_signed,
                row.uploaded_at,
            )
            for row in rows
        ),
    )


VERB: Final = Verb("list artifacts, newest first", arguments, run)
