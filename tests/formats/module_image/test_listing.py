"""The list that stays on the device, and what an update removes by it."""

from __future__ import annotations

import pytest

from tests.formats.module_image.build import USUAL, export, pieces
from updates.errors import ModuleRefused
from updates.formats.module_image import Limits, no_longer_required, read_list, survey

LINES = [
    "./actions/",
    "./actions/create-module/",
    "./actions/create-module/20expand",
    "./update-module.d/",
    "./update-module.d/10expand",
    "./update-module.d/20restart",
]


def test_the_list_has_a_path_a_line_in_the_order_of_bytes() -> None:
    listing = survey(pieces(export(*USUAL)))
    assert listing.paths == LINES
    assert listing.text().decode() == "\n".join(LINES) + "\n"
    assert read_list(listing.text()) == (LINES, [])


def test_a_list_with_the_historic_prefix_is_read_without_it() -> None:
    old = "".join(f"imageroot/{line.removeprefix('./')}\n" for line in ["./", *LINES])
    assert read_list(old.encode()) == (LINES, [])


def test_a_directory_of_that_name_is_not_taken_for_the_prefix() -> None:
    assert read_list(b"./a\n./imageroot/\n./imageroot/b\n")[0] == [
        "./a",
        "./imageroot/",
        "./imageroot/b",
    ]


@pytest.mark.parametrize(
    "line", [b"/etc/passwd", b"../a", b"./a/../../b", b"a\0b", b"\xff", b"./.."]
)
def test_a_line_that_could_lead_elsewhere_is_left_out_and_said(line: bytes) -> None:
    paths, warnings = read_list(b"./a\n" + line + b"\n")
    assert paths == ["./a"]
    assert len(warnings) == 1


def test_a_list_beyond_the_limit_is_refused() -> None:
    with pytest.raises(ModuleRefused) as caught:
        read_list(b"./a\n" * 3, limits=Limits(list_bytes=11))
    assert caught.value.rule == "list-too-long"


def test_files_go_first_then_directories_the_deepest_first() -> None:
    old = ["./a/", "./a/b/", "./a/b/f", "./a/g", "./kept", "./z/"]
    assert no_longer_required(old, ["./kept"]) == ["./a/b/f", "./a/g", "./a/b/", "./a/", "./z/"]


def test_what_is_still_there_is_not_removed() -> None:
    assert no_longer_required(LINES, LINES) == []
    assert no_longer_required(LINES, [*LINES, "./new"]) == []


def test_what_became_another_kind_of_entry_is_not_removed() -> None:
    assert no_longer_required(["./a"], ["./a/", "./a/b"]) == []
    assert no_longer_required(["./a/"], ["./a"]) == []


def test_nothing_is_removed_through_what_may_now_be_a_link() -> None:
    """`a` was a directory and is now a link to `state`: removing a/b would remove state/b."""
    assert no_longer_required(["./a/", "./a/b", "./a/c/", "./a/c/d"], ["./a"]) == []


def test_a_neighbour_with_the_same_beginning_is_not_taken_for_what_is_below() -> None:
    assert no_longer_required(["./a.d/", "./a.d/b"], ["./a"]) == ["./a.d/b", "./a.d/"]
