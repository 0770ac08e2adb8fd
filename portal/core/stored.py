"""Opening what the portal's storage holds."""

from __future__ import annotations

from django.core.files import File
from django.core.files.storage import default_storage

from portal.core.errors import StorageUnavailable


def open_stored(name: str) -> File[bytes]:
    """The stored file, to be read and closed. StorageUnavailable when it is not there any more, or the storage is away."""
    try:
        return default_storage.open(name, "rb")
    except OSError as error:
        raise StorageUnavailable("The storage does not have this file any more.") from error
