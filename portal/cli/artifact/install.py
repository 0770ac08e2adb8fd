"""`manage.py artifact install FILE DEVICE --reason WHY`: Mender's stand-alone mode, with the history behind it."""

from __future__ import annotations

import hashlib
from argparse import ArgumentParser
from io import BufferedReader
from pathlib import Path
from typing import Final

from django.core.files import File
from django.core.management.base import CommandError

from portal.cli import find
from portal.cli.ordering import force_argument, hold_argument
from portal.cli.reason import reason_argument
from portal.cli.upgrade import tell_new, wait_argument
from portal.cli.verb import Call, Verb
from updates.models import Artifact
from updates.services.artifacts import upload_artifact
from updates.services.upgrades import apply_artifact


def arguments(parser: ArgumentParser) -> None:
    """The file, the device, why, and whether the commit is a step of its own."""
    parser.add_argument("file", type=Path, help="a Mender Artifact, version 3")
    parser.add_argument("device", help="its name")
    reason_argument(parser)
    force_argument(parser)
    hold_argument(parser)
    wait_argument(parser)


def run(call: Call) -> None:
    """The file is an artifact, uploaded now or before, and its upgrade of the device is ordered; with --wait: over."""
    device = find.device(call.words["device"])
    path: Path = call.words["file"]
    try:
        with path.open("rb") as file:
            artifact = _known(file) or upload_artifact(file=File(file), actor=call.actor)
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}.") from None
    upgrade = apply_artifact(
        device=device,
        artifact=artifact,
        actor=call.actor,
        reason=call.words["reason"],
        force=call.words["force"],
        holds=call.words["hold"],
    )
    tell_new(upgrade, call=call)


def _known(file: BufferedReader) -> Artifact | None:
    digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Artifact.objects.filter(sha256=digest).first()


VERB: Final = Verb("install a file on one device, now", arguments, run)
