"""Exports that were changed in many ways: refused, or installed so that nothing leaves the root and nothing is missing."""

from __future__ import annotations

import posixpath
import tarfile

from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from tests.formats.build import END
from tests.formats.module_image.build import (
    CACHE_TAG,
    ROOT,
    Member,
    check_sentence,
    export,
    folder,
    installed,
    pieces,
)
from updates.errors import ModuleRefused
from updates.formats.module_image import Kind, Limits, Listing, read_list, survey

SMALL = Limits(entries=30, tree_bytes=2**16)

good_parts = st.sampled_from(["a", "b", "c", "d.d", "CACHEDIR.TAG", ".gitignore", "ü"])
bad_parts = st.sampled_from(["..", ".", "", "a\nb", "a\0"])
good_names = st.lists(good_parts, min_size=1, max_size=4).map("/".join).map("imageroot/{}".format)
bad_names = st.lists(good_parts | bad_parts, min_size=1, max_size=4).map("/".join)
links = st.sampled_from(["a", "b/c", "../a", "../../a", "..", "a/..", "/etc", "", "imageroot/a"])
good_kinds = st.sampled_from([tarfile.REGTYPE] * 4 + [tarfile.DIRTYPE] * 2 + [tarfile.SYMTYPE])
bad_kinds = st.sampled_from([tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, b"S", b"g", b"L"])
contents = st.sampled_from([b"", b"x", CACHE_TAG, b"y" * 513, b"\0" * 1024, END])


def one_in(draw: st.DrawFn, often: int) -> bool:
    return draw(st.integers(1, often)) == 1


@st.composite
def members(draw: st.DrawFn) -> Member:
    kind = draw(bad_kinds if one_in(draw, 30) else good_kinds)
    content = draw(contents) if kind == tarfile.REGTYPE or one_in(draw, 30) else b""
    link = draw(links) if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE) else ""
    name = draw(bad_names) if one_in(draw, 30) else draw(good_names)
    return Member(name, content, mode=draw(st.integers(0, 0o7777)), kind=kind, link=link)


@st.composite
def exports(draw: st.DrawFn) -> list[Member]:
    """Mostly each entry once and behind its directories, as an engine would have it."""
    tidy = not one_in(draw, 5)
    found: list[Member] = []
    for member in draw(st.lists(members(), min_size=1, max_size=8)):
        above = member.name.split("/")[1:-1]
        for depth in range(1, len(above) + 1):
            path = "/".join(["imageroot", *above[:depth]])
            if tidy and not any(known.name == path for known in found):
                found.append(folder(path))
        if not (tidy and any(known.name == member.name for known in found)):
            found.append(member)
    return found


def stays_inside(listing: Listing) -> bool:
    """Whether every link, followed to its end from where it stands, is below the root."""
    for path, listed in listing.entries.items():
        if listed.kind is Kind.LINK:
            at = posixpath.normpath(posixpath.join("/root", posixpath.dirname(path), listed.link))
            if listed.link.startswith("/") or not (at + "/").startswith("/root/"):
                return False
    return True


@settings(max_examples=600, deadline=None, database=None, phases=[Phase.explicit, Phase.generate])
@given(changed=exports(), end=st.sampled_from([END] * 6 + [END * 3, b"", bytes(512)]))
@example(changed=[Member("imageroot/a", b"x")], end=END)
def test_an_export_is_refused_or_whole_and_inside(changed: list[Member], end: bytes) -> None:
    content = export(ROOT, *changed, end=end)
    try:
        listing = survey(pieces(content), limits=SMALL)
    except ModuleRefused as refused:
        check_sentence(refused)
        return
    assert end not in (b"", bytes(512))
    assert stays_inside(listing)
    assert set(installed(content, listing)) == set(listing.entries)
    assert read_list(listing.text()) == (listing.paths, [])


def test_good_exports_are_not_all_refused() -> None:
    """Else nothing above would prove anything about what is inside."""
    assert survey(pieces(export(ROOT, Member("imageroot/a", b"x"))), limits=SMALL).count == 1


@settings(max_examples=300, deadline=None, database=None, phases=[Phase.generate])
@given(st.data())
def test_a_flipped_byte_is_refused_or_changes_only_content_or_numbers(data: st.DataObject) -> None:
    content = bytearray(
        export(ROOT, Member("imageroot/a", b"x" * 600), Member("imageroot/b", b"y"))
    )
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= data.draw(st.integers(1, 255))
    try:
        listing = survey(pieces(bytes(content)), limits=SMALL)
    except ModuleRefused as refused:
        check_sentence(refused)
    else:
        assert list(listing.entries) == ["a", "b"]
        assert listing.size_bytes == 601
