"""Reading and writing Mender Artifacts (Mender's Artifact format v3): strictly, streaming, memory never grows with a file.

`read_artifact` says what an artifact is; `open_payload` hands its files on while it reads, forward only. Both refuse what any
real Mender client refuses, and what one of them would crash on or be fooled by: always with `ArtifactRefused`, its stable
`rule` and one sentence. Reading does not judge a signature: who may sign is not a matter of the format. `verify_signature` says
which of the given keys made it.

`write_artifact` writes what the reader takes, and refuses the rest by the same rules; `sign_artifact` signs what is there.
"""

from updates.formats.mender_artifact.defaults import (
    CHECKSUM_KEY,
    LEGACY_CHECKSUM_KEY,
    Software,
    with_software_version,
)
from updates.formats.mender_artifact.description import (
    ArtifactDescription,
    Compression,
    PayloadFile,
    StateScript,
)
from updates.formats.mender_artifact.limits import Limits
from updates.formats.mender_artifact.names import ROOTFS_IMAGE
from updates.formats.mender_artifact.packing import Packing
from updates.formats.mender_artifact.public_key import PublicKey, read_public_key
from updates.formats.mender_artifact.reader import (
    IncomingFile,
    OpenedArtifact,
    open_payload,
    open_scripts,
    read_artifact,
)
from updates.formats.mender_artifact.signature import made_by, verify_signature
from updates.formats.mender_artifact.signing import sign_artifact
from updates.formats.mender_artifact.signing_key import SigningKey, read_signing_key
from updates.formats.mender_artifact.spec import ArtifactSpec, PayloadSource, file_at, file_from
from updates.formats.mender_artifact.writer import write_artifact

__all__ = [
    "CHECKSUM_KEY",
    "LEGACY_CHECKSUM_KEY",
    "ROOTFS_IMAGE",
    "ArtifactDescription",
    "ArtifactSpec",
    "Compression",
    "IncomingFile",
    "Limits",
    "OpenedArtifact",
    "Packing",
    "PayloadFile",
    "PayloadSource",
    "PublicKey",
    "SigningKey",
    "Software",
    "StateScript",
    "file_at",
    "file_from",
    "made_by",
    "open_payload",
    "open_scripts",
    "read_artifact",
    "read_public_key",
    "read_signing_key",
    "sign_artifact",
    "verify_signature",
    "with_software_version",
    "write_artifact",
]
