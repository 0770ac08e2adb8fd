"""`manage.py artifact read FILE...`."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Final

from django.core.management.base import CommandError

from portal.cli.artifact.files import told
from portal.cli.artifact.keys import public_keys, public_keys_argument
from portal.cli.artifact.telling import as_json, signature_of, tell
from portal.cli.verb import Call, Verb
from updates.errors import ArtifactRefused
from updates.formats.mender_artifact import ArtifactDescription, read_artifact


def arguments(parser: ArgumentParser) -> None:
    """Which files, and the keys that may have signed them."""
    files_argument(parser)
    public_keys_argument(parser)


def files_argument(parser: ArgumentParser) -> None:
    """FILE...: artifacts on this machine."""
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE", help="a Mender Artifact")


def run(call: Call) -> None:
    """What is in the files is printed. CommandError for the first that is none, or that cannot be read."""
    keys = public_keys(call.words["keys"])
    found = []
    for path in call.words["files"]:
        description = description_of(path)
        signature = signature_of(description, keys)
        found.append(as_json(path, description, signature=signature))
        if not call.out.as_json:
            call.out.text(f"{path}:")
            tell(description, signature=signature, out=call.out)
    if call.out.as_json:
        call.out.document(found)


def description_of(path: Path) -> ArtifactDescription:
    """What the file at `path` says. Raises CommandError, which names the file and the rule that it breaks."""
    try:
        with told(str(path)), path.open("rb") as file:
            return read_artifact(file)
    except ArtifactRefused as refused:
        raise CommandError(f"{path}: {refused} [{refused.rule}]") from None


VERB: Final = Verb("show what is in a file; needs no database", arguments, run)
