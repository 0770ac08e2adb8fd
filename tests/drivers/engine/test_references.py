"""Names of images are read as a Docker Engine reads them."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.drivers.references import (
    Reference,
    checked_digest,
    checked_host,
    checked_image,
    parse_reference,
)
from devices.errors import BadReference

DIGEST = "sha256:" + "0123456789abcdef" * 4

READ = [
    ("busybox", "docker.io", "library/busybox", "", ""),
    ("busybox:1.36", "docker.io", "library/busybox", "1.36", ""),
    ("library/busybox", "docker.io", "library/busybox", "", ""),
    ("docker.io/busybox", "docker.io", "library/busybox", "", ""),
    ("index.docker.io/busybox", "docker.io", "library/busybox", "", ""),
    ("docker.io/library/mysql:10.3-alpine", "docker.io", "library/mysql", "10.3-alpine", ""),
    ("prom/prometheus", "docker.io", "prom/prometheus", "", ""),
    ("ghcr.io/nethserver/mymodule:latest", "ghcr.io", "nethserver/mymodule", "latest", ""),
    ("localhost/app", "localhost", "app", "", ""),
    ("localhost:5000/app:1", "localhost:5000", "app", "1", ""),
    ("registry:5000/app", "registry:5000", "app", "", ""),
    ("127.0.0.1:5000/a/b/c:x", "127.0.0.1:5000", "a/b/c", "x", ""),
    ("[::1]:5000/app:1", "[::1]:5000", "app", "1", ""),
    ("Registry.Example/app", "Registry.Example", "app", "", ""),
    (f"busybox@{DIGEST}", "docker.io", "library/busybox", "", DIGEST),
    (f"ghcr.io/a/b:1@{DIGEST}", "ghcr.io", "a/b", "1", DIGEST),
    ("a/b__c/d-e--f.g", "docker.io", "a/b__c/d-e--f.g", "", ""),
    ("app:_x.Y-Z", "docker.io", "library/app", "_x.Y-Z", ""),
]

REFUSED = [
    "",
    " ",
    "busybox ",
    "busybox\n",
    "busybox:",
    "busybox:-1",
    "busybox:" + "x" * 129,
    "busybox@",
    "busybox@sha256:abc",
    f"busybox@{DIGEST.upper()}",
    f"busybox@{DIGEST}@{DIGEST}",
    "Busybox",
    "Team/app",
    "a//b",
    "/a",
    "a/",
    "a/../b",
    "..",
    "-a",
    "a-",
    "a___b",
    "a..b",
    "a_.b",
    "-host.example/a",
    "host.example:0/a",
    "host.example:65536/a",
    "host.example:x/a",
    "host.example:/a",
    "[::1/a",
    "[zz::1]/a",
    "[:::]:5000/a",
    "https://host.example/a",
    "user@host.example/a",
    "host.example/a?b=c",
    "host.example/a#b",
    "ümlaut",
    "app:\u0661",  # a digit, but not one of ASCII
    "a" * 64,
    "a/" * 128 + "a",
    "x" * 5000,
    "a\0b",
]


@pytest.mark.parametrize(("text", "host", "path", "tag", "digest"), READ)
def test_a_reference_is_read(text: str, host: str, path: str, tag: str, digest: str) -> None:
    assert parse_reference(text) == Reference(host, path, tag, digest)


@pytest.mark.parametrize("text", REFUSED, ids=range(len(REFUSED)))
def test_what_is_no_reference_is_refused(text: str) -> None:
    with pytest.raises(BadReference):
        parse_reference(text)


@pytest.mark.parametrize(
    ("text", "familiar"),
    [
        ("docker.io/library/busybox:1", "busybox:1"),
        ("docker.io/prom/prometheus", "prom/prometheus"),
        ("docker.io/library/a/b", "library/a/b"),
        ("ghcr.io/library/busybox:1", "ghcr.io/library/busybox:1"),
        ("docker.io/localhost/a", "docker.io/localhost/a"),
        ("docker.io/a.b/c", "docker.io/a.b/c"),
        ("library/" + "a" * 64, "library/" + "a" * 64),
    ],
)
def test_the_familiar_form_is_what_an_engine_lists(text: str, familiar: str) -> None:
    reference = parse_reference(text)
    assert reference.familiar == familiar
    assert parse_reference(familiar) == reference


def test_without_tag_and_digest_latest_is_meant() -> None:
    assert str(parse_reference("busybox").tagged()) == "docker.io/library/busybox:latest"
    assert str(parse_reference("busybox:1").tagged()) == "docker.io/library/busybox:1"
    by_digest = parse_reference(f"busybox@{DIGEST}")
    assert by_digest.tagged() == by_digest


def test_a_pinned_reference_has_no_tag() -> None:
    assert str(parse_reference("ghcr.io/a/b:1").pinned(DIGEST)) == f"ghcr.io/a/b@{DIGEST}"
    with pytest.raises(BadReference):
        parse_reference("ghcr.io/a/b:1").pinned("sha256:1")


@pytest.mark.parametrize("text", ["ghcr.io", "localhost:5000", "[::1]:80", "registry"])
def test_a_registry_is_a_host_and_perhaps_a_port(text: str) -> None:
    assert checked_host(text) == text


@pytest.mark.parametrize("text", ["", "a/b", "https://a", "a:b", "user:x@a", "a:70000", "a" * 300])
def test_what_is_no_registry_is_refused(text: str) -> None:
    with pytest.raises(BadReference):
        checked_host(text)


def test_digests_of_both_lengths_are_taken() -> None:
    assert checked_digest(DIGEST) == DIGEST
    assert checked_digest("sha512:" + "0" * 128)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (DIGEST, DIGEST),
        ("busybox", "docker.io/library/busybox:latest"),
        (f"ghcr.io/a/b:1@{DIGEST}", f"ghcr.io/a/b@{DIGEST}"),
    ],
)
def test_an_engine_finds_an_image_by_id_reference_or_digest(text: str, name: str) -> None:
    assert checked_image(text) == name


def test_an_engine_is_not_asked_for_what_is_neither() -> None:
    for text in ("../busybox", "a" * 64, ""):
        with pytest.raises(BadReference):
            checked_image(text)


@given(st.text(alphabet=string.printable + "é:/@.-_[]", max_size=80))
def test_what_is_read_is_written_back_the_same(text: str) -> None:
    try:
        reference = parse_reference(text)
    except BadReference:
        return
    assert parse_reference(str(reference)) == reference
    assert parse_reference(reference.familiar) == reference
