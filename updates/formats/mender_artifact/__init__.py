"""Reading Mender Artifacts (Mender's Artifact format v3), strictly and in one forward pass.

`read_artifact` says what an artifact is; `open_payload` hands its files on while it reads. Both refuse what any real
Mender client refuses, and what one of them would crash on or be fooled by: always with `ArtifactRefused`, its stable
`rule` and one sentence. Signatures are handed out, not judged: who may sign is not a matter of the format.
"""

from updates.formats.mender_artifact.description import (
    ArtifactDescription,
    Compression,
    PayloadFile,
    StateScript,
)
from updates.formats.mender_artifact.limits import Limits
from updates.formats.mender_artifact.reader import (
    IncomingFile,
    OpenedArtifact,
    open_payload,
    read_artifact,
)

__all__ = [
    "ArtifactDescription",
    "Compression",
    "IncomingFile",
    "Limits",
    "OpenedArtifact",
    "PayloadFile",
    "StateScript",
    "open_payload",
    "read_artifact",
]
