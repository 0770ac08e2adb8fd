"""What is read of the configuration that Compose prints, and what is not taken for one."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from updates.errors import ComposeRefused
from updates.formats.compose import LARGEST_BYTES, ComposeService, read_config

PRINTED_BY_1 = """\
services:
  cache:
    image: redis:7
    network_mode: service:front
  front:
    build:
      context: /srv/shop
    container_name: shop-front
    depends_on:
      store: {condition: service_started}
    environment: &id001
      DEBUG: "y"
    image: ghcr.io/ann/shop:1.10
  store:
    environment: *id001
    image: postgres
version: '3.9'
"""
PRINTED_BY_2 = """\
name: shop
services:
  front:
    command: null
    depends_on:
      - store
    image: ghcr.io/ann/shop:1.10
    pull_policy: always
    networks:
      default: null
networks:
  default:
    name: shop_default
"""


def refusal(content: bytes) -> ComposeRefused:
    with pytest.raises(ComposeRefused) as caught:
        read_config(content)
    assert str(caught.value).isprintable()
    return caught.value


def test_what_compose_1_prints() -> None:
    found = read_config(PRINTED_BY_1.encode())
    assert found.service("front") == ComposeService(
        name="front",
        image="ghcr.io/ann/shop:1.10",
        builds=True,
        container_name="shop-front",
        depends_on=("store",),
    )
    assert found.in_network_of("front") == ("cache",)
    assert found.in_network_of("store") == ()


def test_what_compose_2_prints() -> None:
    found = read_config(PRINTED_BY_2.encode())
    assert found.service("front") == ComposeService(
        name="front",
        image="ghcr.io/ann/shop:1.10",
        pull_policy="always",
        depends_on=("store",),
    )


def test_variables_that_nobody_sets_are_named_once() -> None:
    complaints = (
        "The TAG variable is not set. Defaulting to a blank string.\n"
        'time="2026-01-01" level=warning msg="The \\"DOOR_2\\" variable is not set. Defaulting to a blank string."\n'
        'level=warning msg="The \\"DOOR_2\\" variable is not set. Defaulting to a blank string."\n'
    )
    assert read_config(PRINTED_BY_2.encode(), complaints=complaints).unset == ("TAG", "DOOR_2")
    assert read_config(PRINTED_BY_2.encode()).unset == ()


def test_a_service_that_is_gone_is_refused_by_name() -> None:
    with pytest.raises(ComposeRefused, match="no service 'back'") as caught:
        read_config(PRINTED_BY_2.encode()).service("back")
    assert caught.value.rule == "service-missing"


NOT_ONE = [
    b"",
    b"[]",
    b"services: [a, b]",
    b"services: {a: b}",
    b"services: {a: {image: [x]}}",
    b"services: {a: {depends_on: x}}",
    b"services: {a: {depends_on: [[x]]}}",
    b"services: {? [a] : {}}",
    b'services: {a: {image: "x\\ny"}}',
    b"services: {a: {image: " + b"x" * 2000 + b"}}",
    b"services: \xff",
    b"services: {a",
    b"services: {a: *nobody}",
    b"a: 1\n---\nb: 2",
    b"x: " + b"[" * 5000,
    b"x: " + b"{a: " * 40 + b"}" * 40,
    b"# " + b"x" * LARGEST_BYTES,
]


@pytest.mark.parametrize("content", NOT_ONE)
def test_what_is_no_configuration_is_refused(content: bytes) -> None:
    assert refusal(content).rule == "config"


def test_aliases_and_merges_do_not_multiply() -> None:
    lines = ["x0: &x0 [a, a, a, a, a, a, a, a, a]"]
    lines += [f"x{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 9)}]" for n in range(1, 30)]
    lines += ["y0: &y0 {a: b}"]
    lines += [f"y{n}: &y{n} {{<<: [{', '.join([f'*y{n - 1}'] * 9)}]}}" for n in range(1, 30)]
    lines += ["services: {web: {image: x}}"]
    assert read_config("\n".join(lines).encode()).service("web").image == "x"


def test_tags_make_nothing_of_a_text() -> None:
    content = b"services: {web: {image: !!python/object/apply:os.system [false]}}"
    assert refusal(content).rule == "config"
    content = b"services: {web: {image: !!python/name:os.system 'x'}}"
    assert read_config(content).service("web").image == "x"


texts = st.text(max_size=8)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=10,
)
keys = st.sampled_from(["image", "build", "depends_on", "network_mode", "pull_policy"])


@given(
    services=st.dictionaries(texts, st.dictionaries(keys, values) | values, max_size=3),
    cut=st.integers(0, 200),
)
@example(services={"a": {"image": "x"}}, cut=0)
def test_whatever_is_printed_it_is_read_or_refused(services: dict[str, object], cut: int) -> None:
    content = yaml.safe_dump({"services": services}).encode()
    for text in (content, content[:cut]):
        try:
            found = read_config(text)
        except ComposeRefused as refused:
            assert refused.rule == "config"
            assert str(refused).isprintable()
        else:
            assert all(isinstance(one.image, str) for one in found.services.values())


@given(content=st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    try:
        read_config(content)
    except ComposeRefused as refused:
        assert str(refused).isprintable()
