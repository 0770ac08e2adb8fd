"""The index of a repository of modules: what is read of it, and what is refused with a sentence."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from updates.errors import RepositoryRefused
from updates.formats.repodata import LARGEST_BYTES, Package, Version, read_repodata

GOOD: dict[str, Any] = {
    "id": "shop",
    "name": "Shop",
    "description": {"en": "Sells things.", "it": "Vende."},
    "logo": None,
    "screenshots": [],
    "categories": ["business"],
    "authors": [{"name": "Ann", "email": "ann@example.org"}],
    "docs": {
        "documentation_url": "https://example.org/docs",
        "bug_url": "javascript:alert(1)",
        "code_url": "https://github.com/example/shop",
    },
    "source": "ghcr.io/example/shop",
    "versions": [
        {"tag": "1.1.0-rc.1", "testing": True, "labels": {}},
        {"tag": "1.0.0", "testing": False, "labels": {"org.nethserver.min-core": "3.0.0"}},
        {"tag": "latest", "testing": False, "labels": {}},
    ],
    "certification_level": 3,
}


def index(**changes: object) -> bytes:
    return json.dumps([{**GOOD, **changes}]).encode()


def without(key: str) -> bytes:
    return json.dumps([{name: value for name, value in GOOD.items() if name != key}]).encode()


def refusal_of(content: bytes) -> RepositoryRefused:
    with pytest.raises(RepositoryRefused) as caught:
        read_repodata(content)
    sentence = str(caught.value)
    assert sentence.isprintable()
    assert sentence.endswith(".")
    assert len(sentence) < 500
    return caught.value


def test_a_package_is_read_and_what_a_page_must_not_link_to_is_left_out() -> None:
    assert read_repodata(index()) == (
        Package(
            id="shop",
            name="Shop",
            source="ghcr.io/example/shop",
            description={"en": "Sells things.", "it": "Vende."},
            categories=("business",),
            authors=("Ann",),
            docs={
                "documentation_url": "https://example.org/docs",
                "code_url": "https://github.com/example/shop",
                "relnotes_url": "https://github.com/example/shop/releases",
            },
            versions=(
                Version("1.1.0-rc.1", True),
                Version("1.0.0", False, {"org.nethserver.min-core": "3.0.0"}),
                Version("latest", False),
            ),
        ),
    )


def test_an_empty_repository_is_a_good_one() -> None:
    assert read_repodata(b"[]") == ()


NOT_JSON = [b"", b"<html>", b"\xff", b'[{"a": 1, "a": 2}]', b"[" * 100_000, b'["\\u0000"]']


@pytest.mark.parametrize("content", NOT_JSON)
def test_what_is_no_json_is_said_to_be_none(content: bytes) -> None:
    assert refusal_of(content).rule == "repodata_is_not_json"


INVALID = {
    "no list": b"{}",
    "not of packages": b"[1]",
    "too large": b"[" + b" " * LARGEST_BYTES + b"]",
    "too many": b"[" + b"{}," * 5_000 + b"{}]",
    "the same source twice": json.dumps([GOOD, GOOD]).encode(),
    "a tag in the source": index(source="ghcr.io/example/shop:1"),
    "a scheme in the source": index(source="https://ghcr.io/example/shop"),
    "no registry in the source": index(source="example/shop"),
    "no text as name": index(name=1),
    "an endless name": index(name="x" * 30_000),
    "a description of numbers": index(description={"en": 1}),
    "authors without names": index(authors=[{"email": "x"}]),
    "docs without addresses": index(docs={}),
    "versions of texts": index(versions=["1.0.0"]),
    "a version without tag": index(versions=[{"testing": False, "labels": {}}]),
    "a tag that is none": index(versions=[{"tag": "a/b", "testing": False, "labels": {}}]),
    "testing as a text": index(versions=[{"tag": "1.0.0", "testing": "no", "labels": {}}]),
    "labels of numbers": index(versions=[{"tag": "1.0.0", "testing": False, "labels": {"a": 1}}]),
    "too many versions": index(versions=[{"tag": "1.0.0"}] * 501),
    **{
        f"no {key}": without(key)
        for key in (
            "name",
            "description",
            "logo",
            "categories",
            "authors",
            "docs",
            "source",
            "versions",
        )
    },
}


@pytest.mark.parametrize("what", INVALID)
def test_what_is_no_index_is_refused(what: str) -> None:
    assert refusal_of(INVALID[what]).rule == "repodata_is_not_valid_metadata"


def test_the_sentence_names_the_package_and_the_key() -> None:
    sentence = str(refusal_of(index(versions=[{"tag": "1.0.0", "labels": {"a": 1}}])))
    assert "'Shop'" in sentence
    assert "'a'" in sentence
    assert "labels" in sentence


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(key=st.sampled_from(sorted(GOOD)), value=json_values)
def test_any_value_anywhere_is_read_or_refused(key: str, value: object) -> None:
    try:
        packages = read_repodata(index(**{key: value}))
    except RepositoryRefused as refused:
        assert str(refused).endswith(".")
    else:
        assert len(packages) == 1
