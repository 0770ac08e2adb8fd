"""`manage.py artifact delete ARTIFACT --reason WHY`."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Final

from portal.cli import find
from portal.cli.artifact.show import artifact_argument
from portal.cli.reason import reason_argument
from portal.cli.verb import Call, Verb
from updates.api.artifacts import ArtifactSerializer
from updates.services.artifacts import delete_artifact


def arguments(parser: ArgumentParser) -> None:
    """Which artifact, and why."""
    artifact_argument(parser)
    reason_argument(parser)


def run(call: Call) -> None:
    """The artifact is gone. Refused when the history needs it."""
    artifact = find.artifact(call.words["artifact"])
    name, data = artifact.name, ArtifactSerializer(artifact).data
    delete_artifact(artifact=artifact, actor=call.actor, reason=call.words["reason"])
    if call.out.as_json:
        call.out.document(data)
    else:
        call.out.text(f"{name} is gone.")


VERB: Final = Verb("delete an artifact that no device ever got", arguments, run)
