"""A program that writes a large file to the storage of STORAGE_URL and reads it back. Prints by how much memory rose."""

from __future__ import annotations

import resource
import sys
from typing import IO, cast

import django
from django.core.files import File
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from tests.storage.made_up import MadeUpFile

PIECE = 128 * 1024


def main(size: int) -> None:
    django.setup()
    default_storage.save("small", ContentFile(b"what any use of the storage takes"))
    with default_storage.open("small") as file:
        file.read()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    name = default_storage.save("large", File(cast(IO[bytes], MadeUpFile(size))))
    with default_storage.open(name) as file:
        read = sum(len(piece) for piece in iter(lambda: file.read(PIECE), b""))
    assert read == size
    rise = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    sys.stdout.write(f"{rise * 1024}\n")


main(int(sys.argv[1]))
