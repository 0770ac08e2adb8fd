"""Files on their way into the storage: read once to be judged, put away, and gone again when what followed failed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, cast

import structlog
from django.core.files import File
from django.core.files.storage import default_storage

from portal.core.errors import StorageUnavailable
from updates.formats.byte_source import HashedSource
from updates.formats.mender_artifact import ArtifactDescription, read_artifact

log = structlog.get_logger(__name__)


def verified(file: File[bytes]) -> tuple[ArtifactDescription, str]:
    """What the artifact says, and the SHA-256 of the whole file. It is read once, forward. ArtifactRefused if it is not good."""
    file.seek(0)
    source = HashedSource(cast(BinaryIO, file))
    description = read_artifact(cast(BinaryIO, source))
    return description, source.hexdigest


@contextmanager
def put_away(file: File[bytes], *, name: str) -> Iterator[str]:
    """The file is in the storage, under the name that is yielded; gone again, also in part, if storing or the block fails.

    StorageUnavailable if the storage does not take it. A file that is already on the storage's own disk only gets a new name.
    """
    file.seek(0)
    try:
        try:
            stored = default_storage.save(name, file)
        except OSError as error:
            raise StorageUnavailable(
                f"The storage does not take the file: {error.strerror}."
            ) from error
        yield stored
    except BaseException:
        _remove(name)
        raise


def _remove(name: str) -> None:
    try:
        default_storage.delete(name)
    except (StorageUnavailable, OSError):  # why the file had to go matters more
        log.warning("left behind in the storage", name=name, exc_info=True)
