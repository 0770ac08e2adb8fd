"""A tar as Mender's format uses it: regular files in a fixed order, read forward, nothing skipped unseen.

Why not `tarfile`: in stream mode it takes a damaged header for the end of the archive, reads long-name and PAX members of
any size into memory, ignores what stands in the padding and behind the end, and knows a dozen entry types that have no
place here. A format whose checksums cover the content of members and nothing around them needs a reader that looks at
every byte around them.
"""

from __future__ import annotations

from updates.errors import ArtifactRefused
from updates.formats.mender_artifact.byte_source import CHUNK_BYTES, ByteSource, take
from updates.formats.mender_artifact.quoting import quoted
from updates.formats.mender_artifact.tar_header import (
    BLOCK_BYTES,
    GNU_LONG_NAME,
    PAX_EXTENSION,
    REGULAR,
    TarExtension,
    describe_kind,
    parse_extension,
    parse_header,
)

_ZERO_BLOCK = bytes(BLOCK_BYTES)
_MAX_EXTENSION_BYTES = 16 * 1024


class TarMember:
    """One regular file of an archive, valid until the next one is asked for. It is a ByteSource of exactly `size` bytes."""

    def __init__(self, source: ByteSource, *, name: str, size: int, where: str) -> None:
        self.name = name
        self.size = size
        self.taken = 0
        """Bytes read so far."""
        self._source = source
        self._where = where

    def read(self, size: int, /) -> bytes:
        missing = self.size - self.taken
        if not missing:
            return b""
        chunk = self._source.read(min(size, missing, CHUNK_BYTES))
        if not chunk:
            raise ArtifactRefused(
                "truncated",
                f"The end of {self._where} comes in the middle of {quoted(self.name)}: "
                f"{missing} bytes of {self.size} are missing.",
            )
        self.taken += len(chunk)
        return chunk

    def read_all(self, *, limit: int) -> bytes:
        """The whole content. Raises ArtifactRefused before reading if it is larger than `limit` bytes."""
        if self.size > limit:
            raise ArtifactRefused(
                "member-too-large",
                f"The member {quoted(self.name)} of {self._where} has {self.size} bytes, more than the {limit} that are allowed.",
            )
        return take(self, self.size)


class TarArchive:
    """Reads `source` member by member. `where` names the archive in sentences."""

    def __init__(self, source: ByteSource, *, where: str) -> None:
        self._source = source
        self._where = where
        self._member: TarMember | None = None
        self._offset = 0
        self._ended = False

    def next_member(self) -> TarMember | None:
        """Return the next regular file, or None at the end, where nothing but zeros was found until the source's end.

        What was not read of the member before is read now. A missing end mark is tolerated, as all clients do.
        """
        if self._member is not None:
            self._leave(self._member)
            self._member = None
        if not self._ended:
            self._member = self._enter()
            self._ended = self._member is None
        return self._member

    def _enter(self) -> TarMember | None:
        block = self._take_block()
        if not block:
            return None
        if block == _ZERO_BLOCK:
            self._check_tail()
            return None
        header = parse_header(block, where=self._here())
        extension = TarExtension()
        if header.kind in (PAX_EXTENSION, GNU_LONG_NAME):
            extension = self._read_extension(header.size, kind=header.kind)
            block = self._take_block()
            if not block:
                raise ArtifactRefused(
                    "truncated", f"The end of {self._where} comes behind a header extension."
                )
            header = parse_header(block, where=self._here())
        name = self._decode(header.name if extension.name is None else extension.name)
        if header.kind != REGULAR:
            raise ArtifactRefused(
                "tar-entry-type",
                f"The member {quoted(name)} of {self._where} is {describe_kind(header.kind)}; only regular files may be there.",
            )
        size = header.size if extension.size is None else extension.size
        return TarMember(self._source, name=name, size=size, where=self._where)

    def _read_extension(self, size: int, *, kind: bytes) -> TarExtension:
        where = self._here()
        if size > _MAX_EXTENSION_BYTES:
            raise ArtifactRefused(
                "tar-extension", f"A header extension, {where}, has {size} bytes."
            )
        extension = TarMember(self._source, name="a header extension", size=size, where=self._where)
        content = extension.read_all(limit=_MAX_EXTENSION_BYTES)
        self._leave(extension)
        return parse_extension(content, kind=kind, where=where)

    def _leave(self, member: TarMember) -> None:
        while member.read(CHUNK_BYTES):
            pass
        padding = take(self._source, -member.size % BLOCK_BYTES)
        if len(padding) < -member.size % BLOCK_BYTES:
            raise ArtifactRefused(
                "truncated", f"The end of {self._where} comes right behind {quoted(member.name)}."
            )
        if padding.strip(b"\0"):
            raise ArtifactRefused(
                "tar-padding",
                f"The padding behind {quoted(member.name)} in {self._where} holds something else than zeros.",
            )
        self._offset += member.size + len(padding)

    def _take_block(self) -> bytes:
        block = take(self._source, BLOCK_BYTES)
        if block and len(block) < BLOCK_BYTES:
            raise ArtifactRefused(
                "truncated", f"The end of {self._where} comes in the middle of a tar header."
            )
        self._offset += len(block)
        return block

    def _check_tail(self) -> None:
        while chunk := self._source.read(CHUNK_BYTES):
            if chunk.strip(b"\0"):
                raise ArtifactRefused(
                    "trailing-garbage",
                    f"Something follows the end of the tar in {self._where}; no checksum would cover that.",
                )

    def _decode(self, name: bytes) -> str:
        try:
            return name.decode("utf-8")
        except UnicodeDecodeError:
            raise ArtifactRefused(
                "tar-header", f"The name {quoted(name)} of a member of {self._where} is not UTF-8."
            ) from None

    def _here(self) -> str:
        return f"the block at byte {self._offset - BLOCK_BYTES} of {self._where}"
