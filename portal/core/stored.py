"""Opening what the portal's storage holds."""

from __future__ import annotations

import time
from typing import Any, Final

from django.core.files import File
from django.core.files.storage import default_storage

from portal.core.bucket import BucketStorage
from portal.core.errors import StorageUnavailable

AGAIN_SECONDS: Final = 1.0
AWAY_SECONDS: Final = 30.0
_failed: dict[str, float] = {}
"""Files that this process could not open, and when."""


def open_stored(name: str, *, wait_seconds: float = 0.0) -> File[bytes]:
    """The stored file, to be read and closed. StorageUnavailable when it is not there any more, or the storage is away.

    A storage that is away is asked again, for as long as `wait_seconds`.
    """
    until = time.monotonic() + wait_seconds
    while True:
        try:
            opened: File[bytes] = default_storage.open(name, "rb")
        except (OSError, StorageUnavailable) as error:
            if isinstance(error, FileNotFoundError) or time.monotonic() + AGAIN_SECONDS > until:
                raise _unavailable(name, error) from error
            time.sleep(AGAIN_SECONDS)
        else:
            _failed.pop(name, None)
            return opened


def require_not_failed(name: str) -> None:
    """Nothing, or StorageUnavailable: this process could not open the file some seconds ago. Asks no storage."""
    if time.monotonic() - _failed.get(name, -AWAY_SECONDS) < AWAY_SECONDS:
        raise StorageUnavailable("The storage did not give this file just now.")


def gives_addresses() -> bool:
    """Whether the storage itself can give files to whoever has a signed address."""
    return isinstance(_storage(), BucketStorage)


def signed_address(name: str, *, seconds: int) -> str:
    """Where the storage itself gives the file to whoever has this address, for so long; empty: a folder gives nothing."""
    return str(_storage().url(name, expire=seconds)) if gives_addresses() else ""


def _storage() -> Any:  # noqa: ANN401 - django-storages carries no types
    return default_storage._wrapped if hasattr(default_storage, "_wrapped") else default_storage


def _unavailable(name: str, error: Exception) -> StorageUnavailable:
    _failed[name] = time.monotonic()
    if isinstance(error, StorageUnavailable):
        return error
    return StorageUnavailable("The storage does not have this file any more.")
