"""Artifacts that are put together here, out of files that somebody uploads."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import BinaryIO, Final, cast

from django.conf import settings
from django.core.files import File
from django.core.files.uploadedfile import TemporaryUploadedFile

from portal.core.actors import Actor
from portal.core.errors import StorageUnavailable
from updates.formats.byte_source import ByteSource
from updates.formats.mender_artifact import (
    ArtifactDescription,
    ArtifactSpec,
    SigningKey,
    read_artifact,
    write_artifact,
)
from updates.formats.payloads import ArchiveLimits, write_tree
from updates.models import Artifact
from updates.services.artifacts import upload_artifact

MEDIA_TYPE: Final = "application/octet-stream"
SUFFIX: Final = ".upload"
"""What stays of a killed process goes with the uploads that nobody finished."""


def build_artifact(
    *, spec: ArtifactSpec, actor: Actor, notes: str = "", key: SigningKey | None = None
) -> Artifact:
    """The artifact is written, signed with `key`, and then received as an upload is: verified, stored and on record.

    The record says which key that was.
    It is written beside the storage, in pieces. ArtifactRefused, and nothing left behind, for what the format does not allow.
    """
    actor.require("updates.upload_artifact")
    with _room(), TemporaryUploadedFile(f"{spec.name}.mender", MEDIA_TYPE, 0, None) as out:
        write_artifact(spec, cast(BinaryIO, out.file), key=key)
        out.flush()
        out.size = out.tell()
        signing_key = key.public_key.fingerprint if key is not None else ""
        return upload_artifact(file=out, actor=actor, notes=notes, signing_key=signing_key)


def composition_of(spec: ArtifactSpec) -> ArtifactDescription:
    """What an artifact of this `spec` would say about itself. ArtifactRefused when there can be no such artifact."""
    with tempfile.TemporaryFile() as out:
        write_artifact(spec, cast(BinaryIO, out))
        out.seek(0)
        return read_artifact(cast(BinaryIO, out))


@contextmanager
def unpacked_tree(
    archive: File[bytes],
) -> Iterator[Callable[[], AbstractContextManager[ByteSource]]]:
    """The plain tar that a zip, tar or tar.gz becomes, to be opened within the block. ArtifactRefused for any other."""
    folder = settings.FILE_UPLOAD_TEMP_DIR
    with _room(), tempfile.NamedTemporaryFile(suffix=SUFFIX, dir=folder) as out:
        limits = ArchiveLimits(bytes=settings.UPLOAD_LIMIT_BYTES)
        write_tree(cast(BinaryIO, archive), cast(BinaryIO, out), limits=limits)
        out.flush()
        path = Path(out.name)
        yield lambda: path.open("rb")


@contextmanager
def _room() -> Iterator[None]:
    """A disk that is full is a refusal."""
    try:
        yield
    except OSError as error:
        raise StorageUnavailable(
            f"There is no room to put the artifact together: {error.strerror}."
        ) from error
