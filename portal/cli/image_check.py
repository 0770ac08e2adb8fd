"""`manage.py image check IMAGE INSTANCE…`."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Final

from portal.cli import find
from portal.cli.verb import Call, Verb
from portal.cli.verdicts import awaited, require_fits, wait_argument, why
from updates.api.image_checks import ImageCheckSerializer
from updates.services.image_checks import image_checks, request_image_checks


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument("image", help="such as ghcr.io/nethserver/mymodule:1.1.0")
    parser.add_argument("instance", nargs="+", metavar="NAME")
    wait_argument(parser)


def _run(call: Call) -> None:
    """The instances are being checked; with --wait: were, and CommandError unless the image fits them all."""
    instances = [find.instance(name) for name in dict.fromkeys(call.words["instance"])]
    asked = request_image_checks(image=call.words["image"], instances=instances, actor=call.actor)
    checks = image_checks().filter(pk__in=[check.pk for check in asked])
    rows = awaited(checks.order_by("instance__name"), call=call)
    if call.out.as_json:
        call.out.document(ImageCheckSerializer(rows, many=True).data)
    else:
        call.out.table(
            ("INSTANCE", "VERDICT", "WHY"),
            ((row.instance, row.get_verdict_display(), why(row)) for row in rows),
        )
    require_fits(rows, call=call, targets="instances")


VERB: Final = Verb("check a module image on instances, without changing them", _arguments, _run)
