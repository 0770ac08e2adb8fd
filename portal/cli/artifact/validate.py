"""`manage.py artifact validate FILE...`."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from django.core.management.base import CommandError

from portal.cli.artifact.files import told
from portal.cli.artifact.keys import public_keys, public_keys_argument
from portal.cli.artifact.read import files_argument
from portal.cli.verb import Call, Verb
from updates.errors import ArtifactRefused
from updates.formats.mender_artifact import PublicKey, read_artifact, verify_signature


def arguments(parser: ArgumentParser) -> None:
    """Which files, and the keys that may have signed them."""
    files_argument(parser)
    public_keys_argument(parser)


def run(call: Call) -> None:
    """Each file has its verdict. CommandError unless all of them are good."""
    keys = public_keys(call.words["keys"])
    verdicts = [(path, _refusal(path, keys)) for path in call.words["files"]]
    if call.out.as_json:
        call.out.document(
            [
                {
                    "path": str(path),
                    "is_valid": refused is None,
                    "rule": refused.rule if refused else "",
                    "says": str(refused or ""),
                }
                for path, refused in verdicts
            ]
        )
    else:
        for path, refused in verdicts:
            call.out.text(f"{path}: {refused} [{refused.rule}]" if refused else f"{path}: good")
    bad = sum(refused is not None for _, refused in verdicts)
    if bad:
        raise CommandError(f"{bad} of {len(verdicts)} files must be refused.")


def _refusal(path: Path, keys: Sequence[PublicKey]) -> ArtifactRefused | None:
    """With keys, a file must be signed by one of them; without, one that is signed cannot be called good."""
    try:
        with told(str(path)), path.open("rb") as file:
            description = read_artifact(file)
        if keys:
            verify_signature(description, keys)
        elif description.signature is not None:
            return ArtifactRefused(
                "key-missing",
                "It is signed, and no public key (-k) was given to verify the signature with.",
            )
    except ArtifactRefused as refused:
        return refused
    return None


VERB: Final = Verb("say whether files are good artifacts; needs no database", arguments, run)
