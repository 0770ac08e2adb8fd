"""Erlang's external term format: what goes there comes back, and what is damaged is refused."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from devices.drivers.beam.distribution import Distribution
from devices.drivers.beam.terms import (
    Atom,
    Opaque,
    Pid,
    Term,
    TermDamaged,
    decode,
    decode_first,
    encode,
)
from tests.environment.erlang import Erlang

ATOMS = st.text(max_size=60).filter(lambda text: "\0" not in text).map(Atom)
FLAT = (
    st.integers(min_value=-(2**200), max_value=2**200)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.binary(max_size=50)
    | ATOMS
)
TERMS = st.recursive(
    FLAT,
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.lists(inner, max_size=5).map(tuple)
        | st.dictionaries(ATOMS, inner, max_size=4)
    ),
    max_leaves=20,
)


@pytest.fixture(scope="module")
def calls(erlang: Erlang, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Distribution]:
    node = erlang.node("terms", root=tmp_path_factory.mktemp("terms") / "root")
    node.start()
    with node.connected() as calls:
        yield calls
    node.stop()


@given(TERMS)
def test_what_is_written_is_read(term: Term) -> None:
    assert decode(encode(term)) == term


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(term=TERMS)
def test_erlang_reads_and_writes_it_alike(calls: Distribution, term: Term) -> None:
    written = calls.call("erlang", "term_to_binary", arguments=[term], seconds=10)
    assert isinstance(written, bytes)
    assert decode(written) == term
    assert calls.call("erlang", "binary_to_term", arguments=[encode(term)], seconds=10) == term


@pytest.mark.parametrize("atom", ["", "ok", "with space", "ünï", "x" * 255])
def test_atoms_are_equal_to_their_names(atom: str) -> None:
    assert decode(encode(Atom(atom))) == atom


def test_true_and_false_are_atoms() -> None:
    assert decode(encode([True, False])) == ["true", "false"]


def test_what_is_only_passed_over_does_not_disturb(calls: Distribution) -> None:
    reference = calls.call("erlang", "make_ref", arguments=[], seconds=5)
    assert reference == Opaque("reference")
    ports = calls.call("erlang", "ports", arguments=[], seconds=5)
    assert isinstance(ports, list) and Opaque("port") in ports
    assert isinstance(calls.call("erlang", "self", arguments=[], seconds=5), Pid)
    improper = calls.call("lists", "append", arguments=[[1], Atom("tail")], seconds=5)
    assert improper == Opaque("improper list")


def test_text_is_neither_an_atom_nor_a_binary() -> None:
    with pytest.raises(TypeError):
        encode("text")


@given(st.binary(max_size=200))
def test_any_bytes_are_a_term_or_damaged(data: bytes) -> None:
    for attempt in (data, b"\x83" + data):
        try:
            decode_first(attempt)
        except TermDamaged:
            continue


@given(TERMS, st.data())
def test_a_term_that_is_cut_is_damaged(term: Term, data: st.DataObject) -> None:
    whole = encode(term)
    with pytest.raises(TermDamaged):
        decode(whole[: data.draw(st.integers(0, len(whole) - 1))])


@pytest.mark.parametrize(
    "damaged",
    [
        b"\x83" + b"h\x01" * 5000 + b"j",  # nested without end
        b"\x83l\xff\xff\xff\xff",  # a list of four thousand million
        b"\x83t\x40\0\0\0",
        b"\x83n\xff\0",
        b"\x83P\0\0\0\x10" + b"x\x9c",  # compressed, as it may not be
        b"\x83w\x02\xff\xff",  # an atom that is no UTF-8
        b"\x83t\0\0\0\1l\0\0\0\1a\1ja\1",  # a list as a map's key
        b"\x83a\1a",
        b"",
    ],
)
def test_damaged_terms_are_refused(damaged: bytes) -> None:
    with pytest.raises(TermDamaged):
        decode(damaged)
