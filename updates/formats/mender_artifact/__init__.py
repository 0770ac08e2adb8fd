"""Reading Mender Artifacts (Mender's Artifact format v3), strictly and in one forward pass.

`read_artifact` says what an artifact is; `open_payload` hands its files on while it reads. Both refuse what any real
Mender client refuses, and what one of them would crash on or be fooled by: always with `ArtifactRefused`, its stable
`rule` and one sentence. Reading does not judge a signature: who may sign is not a matter of the format. `verify_signature` says
which of the given keys made it.
"""

from updates.formats.mender_artifact.description import (
    ArtifactDescription,
    Compression,
    PayloadFile,
    StateScript,
)
from updates.formats.mender_artifact.limits import Limits
from updates.formats.mender_artifact.public_key import PublicKey, read_public_key
from updates.formats.mender_artifact.reader import (
    IncomingFile,
    OpenedArtifact,
    open_payload,
    open_scripts,
    read_artifact,
)
from updates.formats.mender_artifact.signature import verify_signature

__all__ = [
    "ArtifactDescription",
    "Compression",
    "IncomingFile",
    "Limits",
    "OpenedArtifact",
    "PayloadFile",
    "PublicKey",
    "StateScript",
    "open_payload",
    "open_scripts",
    "read_artifact",
    "read_public_key",
    "verify_signature",
]
