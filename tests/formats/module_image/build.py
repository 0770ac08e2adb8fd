"""Exports of imageroots made by hand, as an engine's: PAX headers, parents first, two blocks of zeros at the end."""

from __future__ import annotations

import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pytest

from tests.formats.build import END
from updates.errors import ModuleRefused
from updates.formats.module_image import Limits, Listing, entries, survey

CACHE_TAG = b"Signature: 8a477f597d28d172789f06886806bc55\n# made by a test\n"
_LONGEST_SENTENCE = 400


@dataclass(frozen=True)
class Member:
    """One member of an export. `raw` stands for all of it, header and padding, as it is."""

    name: str
    content: bytes = b""
    mode: int = 0o644
    kind: bytes = tarfile.REGTYPE
    link: str = ""
    padding: bytes | None = None
    raw: bytes | None = None

    def encode(self) -> bytes:
        if self.raw is not None:
            return self.raw
        info = tarfile.TarInfo(self.name)
        info.size, info.mode = len(self.content), self.mode
        info.type, info.linkname = self.kind, self.link
        gap = bytes(-len(self.content) % 512) if self.padding is None else self.padding
        return info.tobuf(tarfile.PAX_FORMAT) + self.content + gap


def folder(name: str, mode: int = 0o755) -> Member:
    return Member(name, mode=mode, kind=tarfile.DIRTYPE)


def symlink(name: str, link: str) -> Member:
    return Member(name, kind=tarfile.SYMTYPE, mode=0o777, link=link)


def hard_link(name: str, link: str) -> Member:
    return Member(name, kind=tarfile.LNKTYPE, link=link)


ROOT = folder("imageroot/")
USUAL = [
    ROOT,
    folder("imageroot/actions/"),
    folder("imageroot/actions/create-module/"),
    Member("imageroot/actions/create-module/20expand", b"#!/bin/sh\n", mode=0o755),
    folder("imageroot/update-module.d/"),
    symlink("imageroot/update-module.d/10expand", "../actions/create-module/20expand"),
    Member("imageroot/update-module.d/20restart", b"#!/bin/sh\nexit 0\n", mode=0o755),
]


def export(*members: Member, end: bytes = END) -> bytes:
    return b"".join(member.encode() for member in members) + end


def below_root(*members: Member) -> bytes:
    """An export that is fine but for what `members` are."""
    return export(*USUAL, *members)


def pieces(content: bytes, size: int = 1000) -> Iterator[bytes]:
    for at in range(0, len(content), size):
        yield content[at : at + size]


def installed(content: bytes, listing: Listing) -> dict[str, tuple[int, bytes | str | None]]:
    """What `entries` hands on: path to mode, and content of a file, target of a link or None."""
    return {
        entry.path: (entry.mode, entry.link if entry.chunks is None else b"".join(entry.chunks))
        for entry in entries(pieces(content), listing)
    }


def check_sentence(error: ModuleRefused) -> str:
    """The rule; its sentence is one that an operator can read."""
    sentence = str(error)
    assert sentence.isprintable()
    assert sentence[0].isupper() or sentence[0] == "'"
    assert sentence.endswith(".")
    assert len(sentence) <= _LONGEST_SENTENCE
    return error.rule


def rule_of(chunks: Iterable[bytes], *, limits: Limits | None = None) -> str:
    """Why `survey` refuses this stream."""
    with pytest.raises(ModuleRefused) as caught:
        survey(chunks, limits=limits)
    return check_sentence(caught.value)
