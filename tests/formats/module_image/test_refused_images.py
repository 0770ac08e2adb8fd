"""What is refused about an export. Each row is a stream that is wrong in one place."""

from __future__ import annotations

import tarfile

import pytest

from tests.formats.build import END, pax, pax_record, tar_header
from tests.formats.module_image.build import (
    ROOT,
    USUAL,
    Member,
    below_root,
    check_sentence,
    export,
    folder,
    hard_link,
    installed,
    pieces,
    rule_of,
    symlink,
)
from updates.errors import ModuleRefused
from updates.formats.module_image import Limits, survey

GOOD = export(*USUAL)


def header(name: bytes, size: int = 0, *, kind: bytes = b"0", patch: bytes = b"") -> Member:
    return Member("", raw=tar_header(name, size, kind=kind, patch=[(157, patch)]))


STREAMS = {
    "text": (b"Error response from daemon\n" * 40, "tar-header"),
    "nothing": (b"", "truncated"),
    "only an end mark": (END, "no-imageroot"),
    "only the root": (export(ROOT), "no-imageroot"),
    "only directories": (export(ROOT, folder("imageroot/d/")), "no-imageroot"),
    "nothing but what is left out": (export(ROOT, Member("imageroot/.gitignore")), "no-imageroot"),
    "the root is a file": (export(Member("imageroot", b"x")), "no-imageroot"),
    "the root is a link": (export(symlink("imageroot", "x")), "no-imageroot"),
    "no end mark": (export(*USUAL, end=b""), "truncated"),
    "half an end mark": (export(*USUAL, end=bytes(512)), "truncated"),
    "garbage behind the end": (GOOD + b"x", "trailing-garbage"),
    "garbage in the padding": (
        below_root(Member("imageroot/a", b"1", padding=b"x" * 511)),
        "tar-padding",
    ),
    "damaged header": (GOOD[:512] + b"\xff" + GOOD[513:], "tar-header"),
    "name that is not UTF-8": (below_root(header(b"imageroot/\xff")), "tar-header"),
    "link that is not UTF-8": (
        below_root(header(b"imageroot/a", kind=b"2", patch=b"\xff")),
        "tar-header",
    ),
    "global extension": (below_root(header(b"x", kind=b"g")), "tar-entry-type"),
    "unknown extension": (
        below_root(Member("", raw=pax(pax_record("GNU.sparse.size", "9")).encode())),
        "tar-extension",
    ),
    "large extension": (
        below_root(Member("", raw=pax(pax_record("path", "x" * 70_000)).encode())),
        "tar-extension",
    ),
}
NAMES = {
    "absolute": (below_root(Member("/imageroot/a")), "path"),
    "climbing": (below_root(Member("imageroot/../../a")), "path"),
    "climbing within": (below_root(Member("imageroot/d/../a")), "path"),
    "with a line break": (below_root(Member("imageroot/a\nb")), "path"),
    "with a NUL": (
        below_root(Member("", raw=pax(pax_record("path", "imageroot/a\0b")).encode()), Member("a")),
        "path",
    ),
    "beside the root": (below_root(Member("imagerootless/a")), "path-outside"),
    "above the root": (below_root(folder("./")), "path-outside"),
    "long part": (below_root(Member(f"imageroot/{'n' * 256}")), "path-too-long"),
    "long part in bytes": (below_root(Member(f"imageroot/{'ü' * 128}")), "path-too-long"),
    "long path": (below_root(Member(f"imageroot/{'n/' * 1100}")), "path-too-long"),
    "without its directory": (below_root(Member("imageroot/new/a")), "below-a-file"),
    "below a file": (
        below_root(Member("imageroot/a"), Member("imageroot/a/b")),
        "below-a-file",
    ),
    "below a link": (
        below_root(symlink("imageroot/a", "actions"), Member("imageroot/a/b")),
        "below-a-file",
    ),
    "a file twice": (below_root(Member("imageroot/a"), Member("imageroot/a")), "twice"),
    "a link, then a directory": (
        below_root(symlink("imageroot/a", "actions"), folder("imageroot/a/")),
        "twice",
    ),
    "two spellings of one file": (
        below_root(Member("imageroot/a"), Member("./imageroot//./a")),
        "twice",
    ),
}
KINDS = {
    "character device": (below_root(Member("imageroot/a", kind=tarfile.CHRTYPE)), "tar-entry-type"),
    "block device": (below_root(Member("imageroot/a", kind=tarfile.BLKTYPE)), "tar-entry-type"),
    "named pipe": (below_root(Member("imageroot/a", kind=tarfile.FIFOTYPE)), "tar-entry-type"),
    "sparse file": (below_root(header(b"imageroot/a", kind=b"S")), "tar-entry-type"),
    "directory with content": (
        below_root(Member("imageroot/a", b"x", kind=tarfile.DIRTYPE)),
        "entry-content",
    ),
    "link with content": (
        below_root(Member("imageroot/a", b"x", kind=tarfile.SYMTYPE, link="actions")),
        "entry-content",
    ),
}
LINKS = {
    "absolute": (below_root(symlink("imageroot/a", "/etc/passwd")), "link-outside"),
    "out of the root": (below_root(symlink("imageroot/a", "..")), "link-outside"),
    "out of a directory below": (
        below_root(symlink("imageroot/actions/a", "../../b")),
        "link-outside",
    ),
    "up behind a name": (below_root(symlink("imageroot/a", "actions/../b")), "link"),
    "out behind a name": (below_root(symlink("imageroot/a", "actions/../../b")), "link"),
    "empty": (below_root(symlink("imageroot/a", "")), "link"),
    "with a line break": (below_root(symlink("imageroot/a", "b\nc")), "link"),
    "endless": (below_root(symlink("imageroot/a", "b/" * 1100)), "link"),
    "hard, out of the root": (below_root(hard_link("imageroot/a", "etc/passwd")), "path-outside"),
    "hard, absolute": (below_root(hard_link("imageroot/a", "/etc/passwd")), "path"),
    "hard, climbing": (below_root(hard_link("imageroot/a", "imageroot/../b")), "path"),
    "hard, to nothing before": (
        below_root(hard_link("imageroot/a", "imageroot/b"), Member("imageroot/b")),
        "hard-link",
    ),
    "hard, to a directory": (
        below_root(hard_link("imageroot/a", "imageroot/actions")),
        "hard-link",
    ),
    "hard, to what is left out": (
        below_root(
            Member("imageroot/.gitignore"), hard_link("imageroot/a", "imageroot/.gitignore")
        ),
        "hard-link",
    ),
}


@pytest.mark.parametrize("table", [STREAMS, NAMES, KINDS, LINKS])
def test_it_is_refused_by_its_rule(table: dict[str, tuple[bytes, str]]) -> None:
    found = {what: rule_of(pieces(content)) for what, (content, _) in table.items()}
    assert found == {what: rule for what, (_, rule) in table.items()}


def test_handing_on_refuses_it_too() -> None:
    """Whoever surveyed another stream is not led outside by this one."""
    listing = survey(pieces(GOOD))
    for what, (content, rule) in {**NAMES, **KINDS}.items():
        with pytest.raises(ModuleRefused) as caught:
            installed(content, listing)
        assert caught.value.rule == rule, what


def test_every_stream_that_is_cut_is_refused_wherever_it_is_cut() -> None:
    for at in range(0, len(GOOD) - 1, 64):
        assert rule_of(pieces(GOOD[:at])) == "truncated", at


def test_handing_on_a_cut_stream_never_ends_well() -> None:
    listing = survey(pieces(GOOD))
    for at in range(0, len(GOOD) - 1, 256):
        with pytest.raises(ModuleRefused) as caught:
            installed(GOOD[:at], listing)
        assert check_sentence(caught.value) == "truncated", at


def test_what_goes_beyond_the_limits_is_refused() -> None:
    limits = Limits(entries=8, tree_bytes=100)
    assert survey(pieces(below_root(Member("imageroot/a", b"x" * 73))), limits=limits).count == 7
    more = below_root(Member("imageroot/a"), Member("imageroot/b"))
    assert rule_of(pieces(more), limits=limits) == "too-many-entries"
    larger = below_root(Member("imageroot/a", b"x" * 74))
    assert rule_of(pieces(larger), limits=limits) == "tree-too-large"


def test_a_size_of_exabytes_is_refused_before_anything_is_read() -> None:
    enormous = Member("", raw=pax(pax_record("size", str(2**60))).encode())
    assert rule_of(pieces(below_root(enormous, Member("imageroot/a")))) == "tree-too-large"
