"""The payloads of Mender's own Update Modules `single-file` and `directory`, as their generators write them."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final

from updates.errors import ArtifactRefused
from updates.formats.byte_source import ByteSource
from updates.formats.mender_artifact import PayloadSource, file_from

TREE: Final = "update.tar"
PERMISSIONS: Final = re.compile(r"[0-7]{3,4}")
LONGEST_PATH: Final = 4096
FOLDER: Final = re.compile(r"/[A-Za-z0-9._/+@:-]+")

Open = Callable[[], AbstractContextManager[ByteSource]]


def single_file_files(
    open_file: Open, *, name: str, folder: str, permissions: str
) -> tuple[PayloadSource, ...]:
    """A file that gets to `folder` on the device as `name`, with these permissions (octal, such as 644)."""
    if not PERMISSIONS.fullmatch(permissions):
        raise ArtifactRefused("permissions", "Permissions are three or four digits from 0 to 7.")
    return (
        _words("dest_dir", checked_folder(folder)),
        _words("filename", name),
        _words("permissions", permissions),
        PayloadSource(name, open_file),
    )


def directory_files(open_tree: Open, *, folder: str) -> tuple[PayloadSource, ...]:
    """A tar of files that take the place of what is in `folder` on the device."""
    return (_words("dest_dir", checked_folder(folder)), PayloadSource(TREE, open_tree))


def checked_folder(path: str) -> str:
    """The absolute path of a folder on a device, below `/`, of which no shell makes anything else than one word.

    The module `directory` removes what it names, and does not quote it.
    """
    parts = path.rstrip("/").split("/")[1:]
    if not (FOLDER.fullmatch(path) and len(path) <= LONGEST_PATH and parts) or {
        "",
        "..",
        ".",
    } & set(parts):
        raise ArtifactRefused(
            "folder",
            "The folder on the device is an absolute path, such as /var/www: letters, digits and . _ - + @ : only, no '..'.",
        )
    return path


def _words(name: str, text: str) -> PayloadSource:
    return file_from(io.BytesIO(f"{text}\n".encode()), name=name)
