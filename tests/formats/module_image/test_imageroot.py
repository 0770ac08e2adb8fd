"""What of an export is installed, and how."""

from __future__ import annotations

import pytest

from tests.formats.build import pax, pax_record
from tests.formats.module_image.build import (
    CACHE_TAG,
    ROOT,
    USUAL,
    Member,
    below_root,
    export,
    folder,
    hard_link,
    installed,
    pieces,
    rule_of,
    symlink,
)
from updates.errors import ModuleRefused
from updates.formats.module_image import Kind, Listed, Listing, entries, survey


def tree(*members: Member) -> dict[str, tuple[int, bytes | str | None]]:
    content = export(ROOT, *members)
    return installed(content, survey(pieces(content)))


@pytest.mark.parametrize("size", [1, 511, 512, 100_000])
def test_files_directories_and_links_come_without_the_root_in_pieces_of_any_size(size: int) -> None:
    content = export(*USUAL)
    listing = survey(pieces(content, size))
    assert installed(content, listing) == {
        "actions": (0o755, None),
        "actions/create-module": (0o755, None),
        "actions/create-module/20expand": (0o755, b"#!/bin/sh\n"),
        "update-module.d": (0o755, None),
        "update-module.d/10expand": (0o777, "../actions/create-module/20expand"),
        "update-module.d/20restart": (0o755, b"#!/bin/sh\nexit 0\n"),
    }
    assert (listing.count, listing.size_bytes) == (6, 27)


def test_an_entry_whose_content_nobody_reads_does_not_harm_the_next() -> None:
    content = export(*USUAL)
    paths = [entry.path for entry in entries(pieces(content), survey(pieces(content)))]
    assert paths[-1] == "update-module.d/20restart"


def test_another_root_is_what_the_label_names() -> None:
    content = export(folder("tree/"), Member("tree/a", b"1"))
    listing = survey(pieces(content), root="tree")
    assert [entry.path for entry in entries(pieces(content), listing, root="tree")] == ["a"]
    assert rule_of(pieces(content)) == "path-outside"


def test_set_user_id_and_sticky_bits_are_not_taken_over() -> None:
    found = tree(Member("imageroot/a", mode=0o6755), folder("imageroot/d/", mode=0o1777))
    assert found == {"a": (0o755, b""), "d": (0o777, None)}


def test_long_and_foreign_names_and_extended_attributes_are_read() -> None:
    name = f"imageroot/{'n' * 150}-ü \U0001f9f0"
    attribute = pax(pax_record("SCHILY.xattr.user.note", "\1=\2")).encode()
    file = Member("", raw=attribute + Member("imageroot/x", b"1").encode())
    found = tree(Member(name, b"long"), file, symlink("imageroot/to", "n" * 150))
    assert found[name.removeprefix("imageroot/")] == (0o644, b"long")
    assert found["x"] == (0o644, b"1")
    assert found["to"] == (0o777, "n" * 150)


def test_a_hard_link_becomes_a_relative_symbolic_link() -> None:
    found = tree(
        folder("imageroot/bin/"),
        Member("imageroot/bin/tool", b"#!", mode=0o755),
        folder("imageroot/update-module.d/"),
        hard_link("imageroot/update-module.d/30tool", "imageroot/bin/tool"),
        hard_link("imageroot/bin/twin", "imageroot/bin/tool"),
    )
    assert found["update-module.d/30tool"] == (0o777, "../bin/tool")
    assert found["bin/twin"] == (0o777, "tool")


@pytest.mark.parametrize("link", ["a", "./a", "missing", "..", "d/d", "d//a"])
def test_a_link_below_the_root_is_kept_as_it_is(link: str) -> None:
    found = tree(
        Member("imageroot/a"),
        folder("imageroot/d/"),
        symlink("imageroot/d/l", link),
    )
    assert found["d/l"] == (0o777, link)


def test_gitignore_files_are_left_out() -> None:
    found = tree(
        Member("imageroot/.gitignore", b"*.pyc"),
        folder("imageroot/d/"),
        symlink("imageroot/d/.gitignore", "../a"),
        Member("imageroot/a"),
    )
    assert sorted(found) == ["a", "d"]


def test_of_a_directory_with_a_cache_tag_only_the_tag_comes_also_when_it_comes_last() -> None:
    found = tree(
        folder("imageroot/cache/"),
        folder("imageroot/cache/3.11/"),
        Member("imageroot/cache/3.11/a", b"1"),
        Member("imageroot/cache/CACHEDIR.TAG", CACHE_TAG),
        Member("imageroot/cache/z", b"2"),
        folder("imageroot/kept/"),
        Member("imageroot/kept/CACHEDIR.TAG", b"Signature: none"),
        Member("imageroot/kept/a", b"3"),
    )
    assert sorted(found) == ["cache", "cache/CACHEDIR.TAG", "kept", "kept/CACHEDIR.TAG", "kept/a"]


def test_a_stream_that_is_not_the_surveyed_one_is_refused() -> None:
    listing = survey(pieces(export(*USUAL)))
    others = {
        "a file less": export(*USUAL[:-1]),
        "another size": export(
            *USUAL[:-1], Member("imageroot/update-module.d/20restart", b"#!", mode=0o755)
        ),
        "another mode": export(
            *USUAL[:-1], Member("imageroot/update-module.d/20restart", b"#!/bin/sh\nexit 0\n")
        ),
        "another link": export(
            *USUAL[:5], symlink("imageroot/update-module.d/10expand", "20restart"), USUAL[6]
        ),
    }
    for what, content in others.items():
        with pytest.raises(ModuleRefused) as caught:
            installed(content, listing)
        assert caught.value.rule == "changed", what


def test_a_file_that_comes_in_addition_is_not_handed_on() -> None:
    listing = survey(pieces(export(*USUAL)))
    assert "more" not in installed(below_root(Member("imageroot/more")), listing)


def test_what_breaks_the_stream_comes_out_unchanged() -> None:
    def broken() -> object:
        yield export(*USUAL)[:700]
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        survey(broken())  # type: ignore[arg-type]


def test_links_are_followed_through_links() -> None:
    listing = survey(
        pieces(
            export(
                ROOT,
                folder("imageroot/a/"),
                Member("imageroot/a/file", mode=0o755),
                symlink("imageroot/b", "a"),
                symlink("imageroot/c", "b/file"),
                symlink("imageroot/loop", "loop"),
                symlink("imageroot/gone", "a/missing"),
            )
        )
    )
    assert listing.resolved("c") == ("a/file", Listed(Kind.FILE, 0o755))
    assert listing.resolved("b/file") == listing.resolved("c")
    assert listing.resolved("loop") is None
    assert listing.resolved("gone") is None


def test_a_listing_is_in_the_order_of_bytes() -> None:
    listing = Listing.of({path: Listed(Kind.FILE, 0o644) for path in ("ü", "a-b", "a", "Z", "a.c")})
    assert list(listing.entries) == ["Z", "a", "a-b", "a.c", "ü"]
