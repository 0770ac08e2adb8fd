"""`manage.py artifact write KIND`, in mender-artifact's words."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Final

from portal.cli.artifact.files import replaced, told
from portal.cli.artifact.keys import signing_key
from portal.cli.artifact.read import description_of
from portal.cli.artifact.telling import as_json, signature_of, tell
from portal.cli.artifact.write_words import KINDS, kind_arguments
from portal.cli.verb import Call, Verb
from updates.formats.mender_artifact import write_artifact


def arguments(parser: ArgumentParser) -> None:
    """Which kind of artifact; each has its own words."""
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="KIND")
    for name, kind in KINDS.items():
        kind_arguments(kind, kinds.add_parser(name, help=kind.help, description=kind.help))


def run(call: Call) -> None:
    """The artifact stands where it was to be written, in one piece; after a failure there is what was there before."""
    words = call.words
    path: Path = words["output_path"]
    with told("A file"):
        spec = KINDS[words["kind"]].spec(words)
        key = signing_key(words["key"]) if words["key"] else None
        with replaced(path) as out:
            write_artifact(spec, out, key=key)
    description = description_of(path)
    signature = signature_of(description, [key.public_key] if key else [])
    if call.out.as_json:
        call.out.document(as_json(path, description, signature=signature))
    else:
        call.out.text(f"{path}:")
        tell(description, signature=signature, out=call.out)


VERB: Final = Verb("write an artifact from files; needs no database", arguments, run)
