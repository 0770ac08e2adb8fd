"""A tar as Mender's format uses it: regular files in a fixed order.

A format whose checksums cover the content of members and nothing around them needs a reader that looks at every byte
around them.
"""

from __future__ import annotations

from updates.errors import ArtifactRefused
from updates.formats.byte_source import ByteSource
from updates.formats.tar import GNU_LONG_NAME, PAX_EXTENSION, REGULAR, Dialect, TarArchive

MENDER = Dialect(
    refused=ArtifactRefused,
    writer="a Mender tool",
    members=frozenset({REGULAR}),
    members_are="regular files",
    extensions=frozenset({PAX_EXTENSION, GNU_LONG_NAME}),
    extensions_per_member=1,
    extension_bytes=16 * 1024,
    end_mark_needed=False,  # all clients do without
)


def tar_archive(source: ByteSource, *, where: str) -> TarArchive:
    """Read `source` as one of the tars of an artifact. Raises ArtifactRefused while it is read."""
    return TarArchive(source, where=where, dialect=MENDER)
