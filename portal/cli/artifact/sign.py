"""`manage.py artifact sign FILE -k KEY`."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Final

from django.core.management.base import CommandError

from portal.cli.artifact.files import replaced, told
from portal.cli.artifact.keys import signing_key, signing_key_argument
from portal.cli.artifact.read import description_of
from portal.cli.artifact.telling import as_json, signature_of, tell
from portal.cli.verb import Call, Verb
from updates.formats.mender_artifact import open_payload, sign_artifact


def arguments(parser: ArgumentParser) -> None:
    """Which file, by which key, and where the signed one goes."""
    parser.add_argument("file", type=Path, metavar="FILE", help="a Mender Artifact")
    signing_key_argument(parser, required=True)
    parser.add_argument(
        "-o", "--output-path", type=Path, metavar="FILE", help="instead of signing it in place"
    )
    parser.add_argument(
        "-f", "--force", action="store_true", help="replace the signature that it has"
    )


def run(call: Call) -> None:
    """The artifact is signed. CommandError, and nothing changed, if it is signed already, unless --force was given."""
    key = signing_key(call.words["key"])
    path: Path = call.words["file"]
    target: Path = call.words["output_path"] or path
    with told(str(path)), path.open("rb") as file:
        if open_payload(file).head.signature is not None and not call.words["force"]:
            raise CommandError(f"{path} is signed already; --force replaces its signature.")
        file.seek(0)
        with replaced(target) as out:
            sign_artifact(file, key, out)
    description = description_of(target)
    signature = signature_of(description, [key.public_key])
    if call.out.as_json:
        call.out.document(as_json(target, description, signature=signature))
    else:
        call.out.text(f"{target}:")
        tell(description, signature=signature, out=call.out)


VERB: Final = Verb("sign a file; needs no database", arguments, run)
