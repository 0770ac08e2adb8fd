"""A tar, read forward member by member, nothing skipped unseen.

Why not `tarfile`: in stream mode it takes a damaged header for the end of the archive, reads long-name and PAX members of
any size into memory, ignores what stands in the padding and behind the end, and knows a dozen entry types that have no
place here. A reader of what others made needs to look at every byte around the members, too.
"""

from __future__ import annotations

from dataclasses import replace

from portal.core.errors import Refused
from portal.core.quoting import quoted
from updates.formats.byte_source import CHUNK_BYTES, ByteSource, take
from updates.formats.tar.dialect import Dialect
from updates.formats.tar.header import (
    BLOCK_BYTES,
    HARD_LINK,
    SYMBOLIC_LINK,
    TarExtension,
    TarHeader,
    describe_kind,
    parse_extension,
    parse_header,
)

_ZERO_BLOCK = bytes(BLOCK_BYTES)


class TarMember:
    """One entry of an archive, valid until the next one is asked for. It is a ByteSource of exactly `size` bytes."""

    def __init__(
        self, source: ByteSource, *, header: TarHeader, where: str, dialect: Dialect
    ) -> None:
        self.name = _decoded(header.name, where=where, dialect=dialect)
        is_link = header.kind in (HARD_LINK, SYMBOLIC_LINK)
        self.link = _decoded(header.link, where=where, dialect=dialect) if is_link else ""
        """What a symbolic or hard link leads to."""
        self.kind = header.kind
        self.mode = header.mode
        self.size = header.size
        self.taken = 0
        """Bytes read so far."""
        self._source = source
        self._where = where
        self._dialect = dialect

    def read(self, size: int, /) -> bytes:
        missing = self.size - self.taken
        if not missing:
            return b""
        chunk = self._source.read(min(size, missing, CHUNK_BYTES))
        if not chunk:
            raise self._dialect.refused(
                "truncated",
                f"The end of {self._where} comes in the middle of {quoted(self.name)}: "
                f"{missing} bytes of {self.size} are missing.",
            )
        self.taken += len(chunk)
        return chunk

    def read_all(self, *, limit: int) -> bytes:
        """The whole content. Raises the dialect's refusal before reading if it is larger than `limit` bytes."""
        if self.size > limit:
            raise self._dialect.refused(
                "member-too-large",
                f"The member {quoted(self.name)} of {self._where} has {self.size} bytes, more than the {limit} that are allowed.",
            )
        return take(self, self.size)


class TarArchive:
    """Reads `source` member by member. `where` names the archive in sentences."""

    def __init__(self, source: ByteSource, *, where: str, dialect: Dialect) -> None:
        self._source = source
        self._where = where
        self._dialect = dialect
        self._member: TarMember | None = None
        self._offset = 0
        self._ended = False

    def next_member(self) -> TarMember | None:
        """Return the next member, or None at the end, where nothing but zeros was found until the source's end.

        What was not read of the member before is read now. Raises the dialect's refusal.
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
            if self._dialect.end_mark_needed:
                raise self._without_end()
            return None
        if block == _ZERO_BLOCK:
            self._check_tail()
            return None
        header = self._with_extensions(block)
        if header.kind not in self._dialect.members:
            name = _decoded(header.name, where=self._where, dialect=self._dialect)
            raise self._refused(
                "tar-entry-type",
                f"The member {quoted(name)} of {self._where} is {describe_kind(header.kind)}; "
                f"only {self._dialect.members_are} may be there.",
            )
        return self._member_of(header)

    def _with_extensions(self, block: bytes) -> TarHeader:
        """The header that begins with `block`, with what the extensions in front of it say."""
        header = self._parsed(block)
        extensions: list[TarExtension] = []
        while header.kind in self._dialect.extensions:
            if len(extensions) == self._dialect.extensions_per_member:
                break
            extensions.append(self._read_extension(header))
            block = self._take_block()
            if not block:
                raise self._refused(
                    "truncated", f"The end of {self._where} comes behind a header extension."
                )
            header = self._parsed(block)
        for extension in extensions:
            header = extension.of(header)
        return header

    def _read_extension(self, header: TarHeader) -> TarExtension:
        where = self._here()
        limit = self._dialect.extension_bytes
        if header.size > limit:
            raise self._refused(
                "tar-extension", f"A header extension, {where}, has {header.size} bytes."
            )
        member = self._member_of(replace(header, name=b"a header extension"))
        content = member.read_all(limit=limit)
        self._leave(member)
        return parse_extension(content, kind=header.kind, where=where, dialect=self._dialect)

    def _leave(self, member: TarMember) -> None:
        while member.read(CHUNK_BYTES):
            pass
        padding = take(self._source, -member.size % BLOCK_BYTES)
        if len(padding) < -member.size % BLOCK_BYTES:
            raise self._refused(
                "truncated", f"The end of {self._where} comes right behind {quoted(member.name)}."
            )
        if padding.strip(b"\0"):
            raise self._refused(
                "tar-padding",
                f"The padding behind {quoted(member.name)} in {self._where} holds something else than zeros.",
            )
        self._offset += member.size + len(padding)

    def _take_block(self) -> bytes:
        block = take(self._source, BLOCK_BYTES)
        if block and len(block) < BLOCK_BYTES:
            raise self._refused(
                "truncated", f"The end of {self._where} comes in the middle of a tar header."
            )
        self._offset += len(block)
        return block

    def _check_tail(self) -> None:
        zeros = 0
        while chunk := self._source.read(CHUNK_BYTES):
            if chunk.strip(b"\0"):
                raise self._refused(
                    "trailing-garbage",
                    f"Something follows the end of the tar in {self._where}.",
                )
            zeros += len(chunk)
        if zeros < BLOCK_BYTES and self._dialect.end_mark_needed:
            raise self._without_end()

    def _without_end(self) -> Refused:
        return self._refused(
            "truncated", f"The end of {self._where} comes without the mark of a tar's end."
        )

    def _parsed(self, block: bytes) -> TarHeader:
        return parse_header(block, where=self._here(), dialect=self._dialect)

    def _member_of(self, header: TarHeader) -> TarMember:
        return TarMember(self._source, header=header, where=self._where, dialect=self._dialect)

    def _refused(self, rule: str, sentence: str) -> Refused:
        return self._dialect.refused(rule, sentence)

    def _here(self) -> str:
        return f"the block at byte {self._offset - BLOCK_BYTES} of {self._where}"


def _decoded(name: bytes, *, where: str, dialect: Dialect) -> str:
    try:
        return name.decode("utf-8")
    except UnicodeDecodeError:
        raise dialect.refused(
            "tar-header", f"The name {quoted(name)} of a member of {where} is not UTF-8."
        ) from None
