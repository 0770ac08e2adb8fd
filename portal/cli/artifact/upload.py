"""`manage.py artifact upload FILE`."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Final

from django.core.files import File
from django.core.management.base import CommandError

from portal.cli.artifact.show import tell
from portal.cli.verb import Call, Verb
from updates.services.artifacts import upload_artifact


def arguments(parser: ArgumentParser) -> None:
    """The file, and what to note about it."""
    parser.add_argument("file", type=Path, help="a Mender Artifact, version 3")
    parser.add_argument("--notes", default="", help="kept with it")


def run(call: Call) -> None:
    """The file is an artifact that can be deployed."""
    path: Path = call.words["file"]
    try:
        with path.open("rb") as file:
            artifact = upload_artifact(file=File(file), actor=call.actor, notes=call.words["notes"])
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}.") from None
    tell(artifact, out=call.out)


VERB: Final = Verb("verify a file and keep it as an artifact", arguments, run)
