"""Which images in a Compose file would bring the old version back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.errors import BadReference
from updates.formats.compose import pinned

SHOP = "ghcr.io/ann/shop"
DIGEST = "sha256:" + "a" * 64
FILES = ["/srv/shop/compose.yaml", "/srv/shop/prod.yaml"]


def why(image: str, target: str) -> str:
    return pinned(image, target, service="web", files=FILES)


MOVING = [
    # what the file says    where it goes
    (f"{SHOP}:latest", f"{SHOP}:4.3.0"),
    (SHOP, f"{SHOP}:4.3.0"),
    (f"{SHOP}:stable", f"{SHOP}:4.3.0"),
    (f"{SHOP}:main-alpine", f"{SHOP}:4.3.0"),
    (f"{SHOP}:4", f"{SHOP}:4.2.9"),
    (f"{SHOP}:4.2", f"{SHOP}:4.2.9"),
    (f"{SHOP}:v4.2", f"{SHOP}:4.2.9"),
    (f"{SHOP}:4.2-alpine", f"{SHOP}:4.2.9-alpine"),
    (f"{SHOP}:4.2", f"{SHOP}:4.2.0-rc.1"),
    (f"{SHOP}:4.2.1", f"{SHOP}:4.2.1"),
    (f"{SHOP}:4.2.1", f"{SHOP}:v4.2.1"),
    (f"{SHOP}:2026.07.15", f"{SHOP}:2026.07.15"),
    (f"{SHOP}:latest", f"{SHOP}@{DIGEST}"),
    (f"{SHOP}:4.2", f"{SHOP}:4.2"),
    ("nginx", "docker.io/library/nginx:1.27"),
]
PINNED = [
    (f"{SHOP}:4.2.1", f"{SHOP}:4.3.0"),
    (f"{SHOP}:4.2.1", f"{SHOP}:4.2.9"),
    (f"{SHOP}:4.2.1", f"{SHOP}:4.2.1-rc.1"),
    (f"{SHOP}:4.2.1", f"{SHOP}:latest"),
    (f"{SHOP}:4.2.1-alpine", f"{SHOP}:4.2.1"),
    (f"{SHOP}:4.2-alpine", f"{SHOP}:4.2.9"),
    (f"{SHOP}:4", f"{SHOP}:5.0.0"),
    (f"{SHOP}:4.2", f"{SHOP}:5.0.0"),
    (f"{SHOP}:4.2", f"{SHOP}:4.20.0"),
    (f"{SHOP}:4", f"{SHOP}:latest"),
    (f"{SHOP}:4.2.1", f"{SHOP}@{DIGEST}"),
    (f"{SHOP}:2026.07.15", f"{SHOP}:2026.08.01"),
]


@pytest.mark.parametrize(("image", "target"), MOVING)
def test_a_tag_that_moves_is_no_pin(image: str, target: str) -> None:
    assert why(image, target) == ""


@pytest.mark.parametrize(("image", "target"), PINNED)
def test_a_tag_of_another_version_is_one(image: str, target: str) -> None:
    sentence = why(image, target)
    assert image.rpartition(":")[2] in sentence
    assert all(file in sentence for file in FILES)
    assert f"`{SHOP}:latest`" in sentence


@pytest.mark.parametrize(
    "image", [f"{SHOP}@{DIGEST}", f"{SHOP}:latest@{DIGEST}", f"{SHOP}:4.3.0@{DIGEST}"]
)
def test_a_digest_always_is_one(image: str) -> None:
    assert "by digest" in why(image, f"{SHOP}:4.3.0")


@pytest.mark.parametrize("image", ["ghcr.io/ann/shop2:latest", "ann/shop:latest", "shop"])
def test_an_image_of_another_repository_is_never_replaced(image: str) -> None:
    assert "another image than ghcr.io/ann/shop" in why(image, f"{SHOP}:4.3.0")


def test_a_service_that_is_only_built_has_nothing_to_be_put_under() -> None:
    assert "names no image" in why("", f"{SHOP}:4.3.0")


def test_what_is_no_image_is_said_so() -> None:
    assert "no image's name" in why("Shop:${TAG", f"{SHOP}:4.3.0")


def test_a_target_that_is_none_is_a_fault_of_who_asks() -> None:
    with pytest.raises(BadReference):
        why(SHOP, "Shop")


tags = st.from_regex(r"[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,20}", fullmatch=True) | st.from_regex(
    r"v?[0-9]{1,2}(\.[0-9]{1,2}){0,3}(-rc[0-9])?", fullmatch=True
)


@given(tag=tags)
def test_no_tag_pins_itself(tag: str) -> None:
    assert why(f"{SHOP}:{tag}", f"{SHOP}:{tag}") == ""


@given(image=st.text(max_size=60) | tags.map(f"{SHOP}:".__add__), tag=tags)
def test_every_answer_is_a_sentence_or_nothing(image: str, tag: str) -> None:
    sentence = why(image, f"{SHOP}:{tag}")
    assert sentence == "" or (sentence.isprintable() and sentence.endswith("."))
