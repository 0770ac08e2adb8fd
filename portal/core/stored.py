"""Opening what the portal's storage holds."""

from __future__ import annotations

from django.core.files import File
from django.core.files.storage import default_storage

from portal.core.bucket import BucketStorage
from portal.core.errors import StorageUnavailable


def open_stored(name: str) -> File[bytes]:
    """The stored file, to be read and closed. StorageUnavailable when it is not there any more, or the storage is away."""
    try:
        return default_storage.open(name, "rb")
    except OSError as error:
        raise StorageUnavailable("The storage does not have this file any more.") from error


def signed_address(name: str, *, seconds: int) -> str:
    """Where the storage itself gives the file to whoever has this address, for so long; empty: a folder gives nothing."""
    storage = default_storage._wrapped if hasattr(default_storage, "_wrapped") else default_storage
    return str(storage.url(name, expire=seconds)) if isinstance(storage, BucketStorage) else ""
