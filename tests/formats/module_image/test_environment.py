"""The environment file: what is read, what is written, what a line cannot carry."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.formats.module_image.build import check_sentence
from updates.errors import ModuleRefused
from updates.formats.module_image import (
    Limits,
    patched,
    read_environment,
    write_environment,
)


def test_a_line_is_split_at_its_first_equals_sign_and_the_value_is_raw() -> None:
    found = read_environment(b'A=1=2\nB= x "y" \\n$C \nC=\n\n# D=4\nE=\xc3\xbc\r\n')
    assert found.values == {"A": "1=2", "B": ' x "y" \\n$C ', "C": "", "E": "ü\r"}
    assert found.warnings == ()


def test_the_last_of_two_lines_counts_and_a_missing_last_line_break_is_no_matter() -> None:
    assert read_environment(b"A=1\nA=2").values == {"A": "2"}


def test_a_line_that_sets_nothing_is_left_out_and_named_without_its_text() -> None:
    found = read_environment(b"A=1\nsecret rest of a value\n=x\n")
    assert found.values == {"A": "1"}
    assert found.warnings == (
        "Line 2 of the environment file sets no variable.",
        "Line 3 of the environment file sets no variable.",
    )


def test_it_is_written_sorted_by_key() -> None:
    assert write_environment({"B": "2", "A_B": "x=y", "A": "1"}) == b"A=1\nA_B=x=y\nB=2\n"


def test_bytes_that_are_no_text_come_through_unchanged() -> None:
    content = b"A=\xff\xfe\nB=\xc3\xbc\n"
    assert write_environment(read_environment(content).values) == content


BAD_TO_WRITE = [
    ({"A": "secret\nx"}, "environment-value"),
    ({"A": "secret\0x"}, "environment-value"),
    ({"A": "secret\ud800"}, "environment-value"),
    ({"": "secret"}, "environment-key"),
    ({"A=B": "secret"}, "environment-key"),
    ({"A\nB": "secret"}, "environment-key"),
    ({"#A": "secret"}, "environment-key"),
    ({"A": "secret" * 200_000}, "environment-too-large"),
]


@pytest.mark.parametrize(("values", "rule"), BAD_TO_WRITE)
def test_what_a_line_cannot_carry_is_refused_without_showing_the_value(
    values: dict[str, str], rule: str
) -> None:
    with pytest.raises(ModuleRefused) as caught:
        write_environment(values)
    assert check_sentence(caught.value) == rule
    assert "secret" not in str(caught.value)


def test_a_damaged_or_enormous_file_is_refused() -> None:
    rules = []
    for content in (b"A=1\n\0\0\0\0", b"A=" + b"x" * 2**20, b"\n" * 20_000):
        with pytest.raises(ModuleRefused) as caught:
            read_environment(content)
        rules.append(check_sentence(caught.value))
    assert rules == ["environment-nul", "environment-too-large", "environment-too-large"]


def test_a_patch_sets_and_removes() -> None:
    assert patched({"A": "1", "B": "2"}, {"B": None, "C": "3", "D": None}) == {"A": "1", "C": "3"}


keys = st.text(st.characters(exclude_characters="=\n\0", exclude_categories=["Cs"]), min_size=1)
values = st.text(st.characters(exclude_characters="\n\0", exclude_categories=["Cs"]))


@given(st.dictionaries(keys.filter(lambda key: not key.startswith("#")), values))
def test_what_was_written_is_read_back(written: dict[str, str]) -> None:
    found = read_environment(write_environment(written))
    assert found.values == written
    assert found.warnings == ()


@given(st.binary())
def test_whatever_is_read_can_be_written_and_is_then_the_same(content: bytes) -> None:
    try:
        first = read_environment(content, limits=Limits(environment_bytes=200))
    except ModuleRefused as refused:
        assert b"\0" in content or len(content) > 200
        check_sentence(refused)
        return
    assert read_environment(write_environment(first.values)).values == first.values
