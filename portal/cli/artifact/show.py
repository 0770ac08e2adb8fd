"""`manage.py artifact show ARTIFACT`."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Final

from portal.cli import find
from portal.cli.output import Output
from portal.cli.verb import Call, Verb
from updates.api.artifacts import ArtifactSerializer
from updates.models import Artifact


def arguments(parser: ArgumentParser) -> None:
    """Which artifact."""
    artifact_argument(parser)


def artifact_argument(parser: ArgumentParser) -> None:
    """ARTIFACT: by name or id."""
    parser.add_argument("artifact", help="the release's name, or the beginning of an artifact's id")


def run(call: Call) -> None:
    """What is in the artifact is printed."""
    call.actor.require("updates.view_artifact")
    tell(find.artifact(call.words["artifact"]), out=call.out)


def tell(artifact: Artifact, *, out: Output) -> None:
    """The artifact's composition, as it was read when it was uploaded."""
    if out.as_json:
        out.document(ArtifactSerializer(artifact).data)
        return
    out.facts(
        (
            ("id", artifact.pk),
            ("name", artifact.name),
            ("group", artifact.group),
            ("payload type", artifact.payload_type),
            ("device types", artifact.device_types),
            ("depends", "\n".join(_depends(artifact))),
            ("provides", "\n".join(f"{key} = {value}" for key, value in artifact.provides.items())),
            ("clears", artifact.clears_provides),
            ("scripts", artifact.scripts),
            (
                "files",
                "\n".join(f"{file['name']} ({file['size']} bytes)" for file in artifact.files),
            ),
            ("bytes", artifact.size),
            ("sha256", artifact.sha256),
            ("signed", artifact.is_signed),
            ("uploaded", artifact.uploaded_at),
            ("notes", artifact.notes),
            ("warnings", "\n".join(artifact.warnings)),
        )
    )


def _depends(artifact: Artifact) -> list[str]:
    needs = {
        "artifact_name": artifact.depends_names,
        "artifact_group": artifact.depends_groups,
        **artifact.depends,
    }
    return [f"{key} = {' or '.join(values)}" for key, values in needs.items() if values]


VERB: Final = Verb("show what is in an artifact", arguments, run)
