"""Which tag is newer, and where its release notes are."""

from __future__ import annotations

import pytest

from updates.formats.image_versions import is_older, newer_versions, notes_url, read_version

TAGS = [
    "latest", "1", "1.2", "1.2.3", "1.10.0", "1.9.0", "v1.10.0", "2.0.0-rc.1", "2.0.0-rc.10", "2.0.0-rc.9",
    "1.11.0-alpine", "1.11.0-alpine3.20", "1.12.0-rc1-alpine", "sha-1234567", "20240101", "1.10.0.1", "01.2.3",
]  # fmt: skip
SOURCE = "org.opencontainers.image.source"
PAGE = "org.opencontainers.image.url"
VERSION = "org.opencontainers.image.version"


@pytest.mark.parametrize(
    ("running", "candidates", "newer"),
    [
        ("1.2.3", False, ["1.10.0", "1.9.0"]),
        ("v1.2.3", False, ["v1.10.0", "1.9.0"]),
        ("1.2.3", True, ["2.0.0-rc.10", "2.0.0-rc.9", "2.0.0-rc.1", "1.10.0", "1.9.0"]),
        ("2.0.0-rc.9", True, ["2.0.0-rc.10"]),
        ("2.0.0-rc.9", False, []),
        ("2.0.0", True, []),
        ("1.2.3-alpine", False, ["1.11.0-alpine"]),
        ("1.2.3-alpine", True, ["1.12.0-rc1-alpine", "1.11.0-alpine"]),
        ("1.2.3-alpine3.20", False, ["1.11.0-alpine3.20"]),
        ("latest", True, []),
        ("1.2", True, []),
    ],
)
def test_the_newest_stands_first_and_each_flavour_has_its_own(
    running: str, candidates: bool, newer: list[str]
) -> None:
    assert newer_versions(TAGS, running=running, candidates=candidates) == newer
    assert newer_versions(reversed(TAGS), running=running, candidates=candidates) == newer


def test_a_version_that_is_skipped_gives_way_to_the_next() -> None:
    for skipped in ("1.10.0", "v1.10.0"):
        newer = newer_versions(TAGS, running="1.2.3", candidates=False, skipped=["x", skipped])
        assert newer == ["1.9.0"]


def test_a_pre_release_comes_before_its_release() -> None:
    assert newer_versions(["2.0.0", "2.0.0-rc.2"], running="2.0.0-rc.1", candidates=True) == [
        "2.0.0",
        "2.0.0-rc.2",
    ]
    assert is_older("4.13.0-rc1", than="4.13.0")
    assert not is_older("4.13.0", than="4.13.0-rc1")
    assert not is_older("latest", than="4.13.0")


@pytest.mark.parametrize(
    "tag", ["latest", "1.2", "", "v", "1.2.3+4", "vv1.2.3", "1.2.3" + "0" * 200]
)
def test_what_is_no_version_floats(tag: str) -> None:
    assert read_version(tag) is None


@pytest.mark.parametrize(
    ("labels", "template", "url"),
    [
        (
            {SOURCE: "https://github.com/example/shop.git", VERSION: "1.2.3"},
            "https://example.org/{version}",
            "https://github.com/example/shop/releases?q=1.2.3&expanded=true",
        ),
        (
            {PAGE: "https://github.com/example/shop"},
            "",
            "https://github.com/example/shop/releases?q=v2.0.0&expanded=true",
        ),
        ({PAGE: "https://shop.example.org/new"}, "", "https://shop.example.org/new"),
        (
            {SOURCE: "https://git.example.org/shop.git#main"},
            "",
            "https://git.example.org/shop",
        ),
        ({}, "https://example.org/notes/{version}", "https://example.org/notes/v2.0.0"),
        ({}, "", ""),
        ({PAGE: "javascript:alert(1)"}, "", ""),
        ({PAGE: "https://user:pw@example.org/"}, "", ""),
        ({PAGE: "https://[broken"}, "https://example.org", "https://example.org"),
        ({SOURCE: "git@github.com:example/shop.git"}, "", ""),
        ({SOURCE: "git://github.com/example/shop.git"}, "", ""),
        ({PAGE: "https://example.org/" + "x" * 500}, "", ""),
        ({PAGE: "https://example.org/a\nb"}, "", ""),
    ],
)
def test_release_notes_are_where_the_image_says_and_only_on_the_web(
    labels: dict[str, str], template: str, url: str
) -> None:
    assert notes_url("v2.0.0", labels, template=template) == url
