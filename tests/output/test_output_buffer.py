"""Output on its way into the history: whole, in small pieces, and never with a secret in it."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from updates.output import LAST_BYTES, MASK, OutputBuffer, blot_out

CHUNK_BYTES = 16
CHUNK_SECONDS = 1.0

# Few letters, so that secrets overlap themselves and each other, and their beginnings are everywhere.
secrets_of_few_letters = st.lists(st.text("abß", min_size=4, max_size=7), max_size=3)
texts_of_few_letters = st.text("abß.", max_size=60)


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def buffer(
    *secrets: str, clock: Clock | None = None, start: int = 0, limit: int = 10**6
) -> OutputBuffer:
    return OutputBuffer(
        secrets=secrets,
        chunk_bytes=CHUNK_BYTES,
        chunk_seconds=CHUNK_SECONDS,
        clock=clock or Clock(),
        limit_bytes=limit,
        start=start,
    )


def in_pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(places)]


def fed(secrets: list[str], pieces: list[bytes], *, is_late: bool = False) -> list[str]:
    """All that comes out for `pieces`. `is_late`: every piece comes after the chunk's time."""
    clock = Clock()
    output = buffer(*secrets, clock=clock)
    texts = []
    for piece in pieces:
        texts += output.feed(piece)
        clock.now += CHUNK_SECONDS if is_late else 0
        texts += output.due()
    return texts + output.drain()


@given(
    text=texts_of_few_letters,
    secrets=secrets_of_few_letters,
    cuts=st.lists(st.integers(0, 200), max_size=12),
    is_late=st.booleans(),
)
def test_wherever_the_output_is_cut_the_whole_is_the_masked_whole(
    text: str, secrets: list[str], cuts: list[int], is_late: bool
) -> None:
    said = "".join(fed(secrets, in_pieces(text.encode(), cuts), is_late=is_late))

    assert said == blot_out(text, secrets)


@given(
    parts=st.lists(texts_of_few_letters | st.just("SECRET"), max_size=8),
    secrets=secrets_of_few_letters.filter(bool),
    cuts=st.lists(st.integers(0, 200), max_size=12),
    is_late=st.booleans(),
)
def test_no_secret_comes_out_not_even_across_two_pieces(
    parts: list[str], secrets: list[str], cuts: list[int], is_late: bool
) -> None:
    text = "".join(secrets[0] if part == "SECRET" else part for part in parts)

    said = "".join(fed(secrets, in_pieces(text.encode(), cuts), is_late=is_late))

    assert not [secret for secret in secrets if secret in said]


@pytest.mark.parametrize("secret", ["abca", "hunter2-h", "aaaa"])
def test_a_secret_that_ends_as_it_begins_is_not_cut_in_two(secret: str) -> None:
    clock = Clock()
    output = buffer(secret, clock=clock)
    texts = output.feed(f"password {secret}".encode())
    clock.now += CHUNK_SECONDS

    texts += output.due() + output.feed(b"\n") + output.drain()

    assert secret not in "".join(texts)
    assert MASK in "".join(texts)


def test_of_two_secrets_the_longer_one_is_waited_for() -> None:
    clock = Clock()
    output = buffer("opensesame", "open", clock=clock)
    texts = output.feed(b"say open")
    clock.now += CHUNK_SECONDS

    texts += output.due() + output.feed(b"sesame now") + output.drain()

    assert "".join(texts) == f"say {MASK} now"


@given(data=st.binary(max_size=300), cuts=st.lists(st.integers(0, 400), max_size=12))
def test_any_bytes_become_text_that_every_database_stores(data: bytes, cuts: list[int]) -> None:
    texts = fed([], in_pieces(data, cuts))

    assert "".join(texts) == data.decode(errors="replace").replace("\0", "\ufffd")


@given(data=st.binary(max_size=300), cuts=st.lists(st.integers(0, 400), max_size=12))
def test_no_piece_is_longer_than_the_limit(data: bytes, cuts: list[int]) -> None:
    texts = fed([], in_pieces(data, cuts))

    assert all(0 < len(text) <= CHUNK_BYTES for text in texts)


@given(
    text=texts_of_few_letters,
    secrets=secrets_of_few_letters,
    cuts=st.lists(st.integers(0, 200), max_size=12),
    stop_after=st.integers(0, 12),
)
def test_whoever_takes_over_at_the_end_loses_no_byte_and_repeats_none(
    text: str, secrets: list[str], cuts: list[int], stop_after: int
) -> None:
    data = text.encode()
    clock = Clock()
    first = buffer(*secrets, clock=clock)
    said = []
    for piece in in_pieces(data, cuts)[:stop_after]:
        said += first.feed(piece)
        clock.now += CHUNK_SECONDS
        said += first.due()

    second = buffer(*secrets, start=first.end)
    said += second.feed(data[first.end :]) + second.drain()

    assert "".join(said) == blot_out(text, secrets)
    assert second.end == len(data)


def test_a_piece_is_due_when_it_is_full() -> None:
    output = buffer()

    assert output.feed(b"x" * (CHUNK_BYTES - 1)) == []
    assert output.feed(b"x") == ["x" * CHUNK_BYTES]


def test_a_piece_is_due_when_it_is_old() -> None:
    clock = Clock()
    output = buffer(clock=clock)
    output.feed(b"a word")

    clock.now += CHUNK_SECONDS - 0.01
    assert output.due() == []
    clock.now += 0.01
    assert output.due() == ["a word"]


def test_age_counts_from_the_first_byte_that_is_held() -> None:
    clock = Clock()
    output = buffer(clock=clock)
    output.feed(b"first ")
    clock.now += CHUNK_SECONDS / 2
    output.feed(b"second")
    clock.now += CHUNK_SECONDS / 2

    assert output.due() == ["first second"]


def test_a_character_that_has_come_only_in_part_is_waited_for() -> None:
    clock = Clock()
    output = buffer(clock=clock)
    data = "wär".encode()
    texts = output.feed(data[:2])
    clock.now += CHUNK_SECONDS

    texts += output.due()
    assert texts == ["w"]
    assert output.end == 1
    assert output.feed(data[2:]) + output.drain() == ["är"]


def test_what_no_database_stores_is_replaced() -> None:
    assert blot_out("a\0b\ud800\udfffc\U0001f600", []) == "a\ufffdb\ufffd\ufffdc\U0001f600"


def test_words_that_are_too_short_to_be_secrets_stay() -> None:
    assert blot_out("the cat sat", ["cat", ""]) == "the cat sat"


def test_of_a_call_that_says_too_much_the_beginning_and_the_end_are_kept() -> None:
    output = buffer(limit=10)
    texts = output.feed(b"0123456789")
    middle, end = b"x" * LAST_BYTES, b"the end" + b"." * (LAST_BYTES - 7)
    texts += [text for piece in (middle, end) for text in output.feed(piece)]
    assert "".join(texts) == "0123456789"

    texts += output.drain()

    said = f"0123456789\n… {LAST_BYTES} bytes left out …\n{end.decode()}"
    assert "".join(texts) == said
    assert max(len(text) for text in texts[:-1]) <= len("\n… 16384 bytes left out …\n")
    assert output.end == 10 + 2 * LAST_BYTES
    assert output.drain() == []


def test_a_little_more_than_the_limit_is_all_kept() -> None:
    output = buffer(limit=10)
    assert "".join([*output.feed(b"a" * 40), *output.drain()]) == "a" * 40


@given(text=st.text("aß€😀", max_size=200), limit=st.integers(0, 50), size=st.integers(1, 40))
def test_no_character_is_cut_by_the_limit(text: str, limit: int, size: int) -> None:
    data = text.encode()
    output = buffer(limit=limit)
    texts = [
        given
        for start in range(0, len(data), size)
        for given in output.feed(data[start : start + size])
    ]
    assert "".join([*texts, *output.drain()]) == text


def test_who_goes_on_beyond_the_limit_keeps_nothing_but_the_end() -> None:
    output = buffer(limit=10, start=100)
    assert output.feed(b"b" * (LAST_BYTES + 5)) == []
    said = "".join(output.drain())
    assert said == "\n… 5 bytes left out …\n" + "b" * LAST_BYTES


def test_a_secret_is_hidden_in_what_is_kept_of_the_end() -> None:
    output = buffer("s3cret", limit=0)
    output.feed(b"it is s3c")
    output.feed(b"ret here")
    assert "".join(output.drain()) == f"it is {MASK} here"
